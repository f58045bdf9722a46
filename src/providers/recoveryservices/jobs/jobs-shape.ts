// A job on the wire. az reads every task's times, so the list of tasks is never null.

import type { JobError } from "../../../backup/jobs/job-error.ts";
import type { Job, JobTask } from "../../../backup/jobs/job.ts";
import { restoreLocationOf } from "../../../backup/restore/restore-input.ts";
import type { Vault } from "../../../backup/vaults/vaults.ts";
import { isoTime, unsetTime } from "../../../lib/clock.ts";
import { namespace } from "../vaults/vault-paths.ts";

export function renderJob(vault: Pick<Vault, "id">, job: Job, now: number): object {
  const errors = [...job.errors, ...job.warnings].map(renderError);
  return {
    id: `${vault.id}/backupJobs/${job.id}`,
    name: job.id,
    type: `${namespace}/vaults/backupJobs`,
    properties: {
      jobType: "AzureIaaSVMJob",
      entityFriendlyName: job.itemName,
      backupManagementType: "AzureIaasVM",
      operation: job.operation,
      status: job.status,
      startTime: isoTime(job.startedAt),
      endTime: job.endedAt === undefined ? null : isoTime(job.endedAt),
      duration: duration((job.endedAt ?? now) - job.startedAt),
      activityId: job.correlationId,
      actionsInfo: job.status === "InProgress" && job.isCancellable ? ["Cancellable"] : [],
      errorDetails: errors,
      virtualMachineVersion: "Compute",
      isUserTriggered: job.isUserTriggered,
      containerName: job.containerName,
      extendedInfo: {
        tasksList: job.tasks.map((task) => renderTask(task, now)),
        propertyBag: job.properties,
        internalPropertyBag: internalProperties(job),
        progressPercentage: job.percent,
        estimatedRemainingDuration: null,
        dynamicErrorMessage: job.errors[0]?.message ?? null,
      },
    },
  };
}

function internalProperties({ input, subSteps }: Job): Record<string, string> {
  const restoreLocationType = restoreLocationOf(input);
  const steps = subSteps.map(({ text, at }, index) => [`${String(index + 1).padStart(3, "0")} ${isoTime(at)}`, text]);
  return { ...(restoreLocationType === undefined ? {} : { restoreLocationType }), ...Object.fromEntries(steps) };
}

function renderTask(task: JobTask, now: number): object {
  const { startTime, endTime } = task;
  return {
    taskId: task.taskId,
    status: task.status,
    startTime: startTime === undefined ? unsetTime : isoTime(startTime),
    endTime: endTime === undefined ? unsetTime : isoTime(endTime),
    duration: duration(startTime === undefined ? 0 : (endTime ?? now) - startTime),
    progressPercentage: task.progressPercentage,
    instanceId: null,
    taskExecutionDetails: null,
  };
}

/** `errorCode` is a number in Azure's model; the code as people search for it begins the text. */
function renderError({ code, title, message, recommendations }: JobError): object {
  return { errorCode: 0, errorTitle: title, errorString: `${code}: ${message}`, recommendations };
}

function duration(milliseconds: number): string {
  return `PT${(Math.max(0, milliseconds) / 1000).toFixed(1)}S`;
}
