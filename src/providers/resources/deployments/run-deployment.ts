// Carries a deployment out as a long operation. It may run twice: what ended well before a crash is
// not done again.

import { fromPlain, type JsonObject } from "../../../arm/relaxed-json/json.ts";
import { noPositions } from "../../../arm/relaxed-json/positions.ts";
import { endOperation } from "../../../arm/operations/operation.ts";
import type { OperationHandler, OperationWork } from "../../../arm/operations/runner.ts";
import { findResource } from "../../../arm/resources/resource-store.ts";
import { executeDeployment } from "../../../arm/template/execute.ts";
import { resolveSecrets } from "../../../arm/template/nested.ts";
import { type DeploymentRequest, planDeployment } from "../../../arm/template/plan.ts";
import { templateErrors } from "../../../arm/template/template-errors.ts";
import { newTreeBudget } from "../../../arm/template/validate.ts";
import {
  activeStates,
  type DeploymentMemory,
  type DeploymentProperties,
  type StoredDeployment,
} from "./deployment-record.ts";
import { type DeploymentParts, deployingHost } from "./host.ts";
import { endDeployment, isCanceled, recorderFor } from "./recorder.ts";

export const deploymentOperationKind = "deployment.run";

/** What this process knows of the deployments that it was sent, and how it stops them. */
export interface LiveDeployments {
  /** By operation: the request with the places of its text, which is not kept. */
  readonly requests: Map<string, DeploymentRequest>;
  readonly cancels: Map<string, AbortController>;
}

export function liveDeployments(): LiveDeployments {
  return { requests: new Map(), cancels: new Map() };
}

const lookForCancelMilliseconds = 1000;

export function deploymentHandler(parts: DeploymentParts, live: LiveDeployments): OperationHandler {
  return async (work) => {
    const { operation } = work;
    const { database } = parts.services;
    const stored = await findResource<DeploymentProperties, DeploymentMemory>(database.kysely, operation.resourceId);
    if (
      stored === undefined ||
      stored.hidden.operationId !== operation.id ||
      !activeStates.has(stored.provisioningState)
    )
      return undefined;
    const cancel = new AbortController();
    live.cancels.set(operation.id, cancel);
    const watch = setInterval(() => void watchForCancel(parts, operation.id, cancel), lookForCancelMilliseconds);
    try {
      await deploy(parts, live, work, stored, AbortSignal.any([work.signal, cancel.signal]));
      return undefined;
    } catch (error) {
      work.signal.throwIfAborted();
      const failure = cancel.signal.aborted ? cancel.signal.reason : error;
      await database.transaction(async (trx) => {
        await work.assertHeld(trx);
        await endDeployment(trx, stored.id, { error: failure }, { database, caller: operation.caller });
        if (isCanceled(failure))
          await endOperation(trx, database.clock, operation.id, { status: "Canceled", error: failure });
      });
      throw failure;
    } finally {
      clearInterval(watch);
      live.cancels.delete(operation.id);
      if (!work.signal.aborted) live.requests.delete(operation.id);
    }
  };
}

export function canceled(): Error {
  return templateErrors.DeploymentCanceled("The deployment was canceled. Resources that were deployed before stay.");
}

/** The request to cancel may have come to another process. */
async function watchForCancel(parts: DeploymentParts, operationId: string, cancel: AbortController): Promise<void> {
  const row = await parts.services.database.kysely
    .selectFrom("operations")
    .select("cancel_requested")
    .where("operation_id", "=", operationId)
    .executeTakeFirst()
    // A database that does not answer now is asked again; the deployment's own writes will say it.
    .catch(() => undefined);
  if (row?.cancel_requested === 1 && !cancel.signal.aborted) cancel.abort(canceled());
}

async function deploy(
  parts: DeploymentParts,
  live: LiveDeployments,
  work: OperationWork,
  stored: StoredDeployment,
  signal: AbortSignal,
): Promise<void> {
  const { operation } = work;
  const { database } = parts.services;
  const terms = { database, caller: operation.caller, assertHeld: work.assertHeld };
  const behalf = { caller: operation.caller, correlationId: operation.correlationId, origin: stored.hidden.origin };
  const host = deployingHost(parts, behalf, operation.id, terms);
  const given = live.requests.get(operation.id) ?? requestAfterRestart(parts, stored);
  const parameters = await resolveSecrets(given.parameters, host, signal);
  const plan = planDeployment({ ...given, parameters }, await host.facts(given.target, signal), newTreeBudget());
  const recorder = await recorderFor(stored.id, terms);
  const result = await executeDeployment(plan, host, recorder, newTreeBudget(), signal);
  await recorder.end({ result });
}

function requestAfterRestart(parts: DeploymentParts, stored: StoredDeployment): DeploymentRequest {
  const { hidden } = stored;
  const parameters = JSON.parse(
    parts.secretBox.open(Buffer.from(hidden.sealedParameters ?? "", "base64")).toString("utf8"),
  );
  return {
    name: stored.name,
    target: {
      subscriptionId: stored.subscriptionId,
      resourceGroup: stored.resourceGroup === "" ? undefined : stored.resourceGroup,
    },
    location: stored.location,
    mode: stored.properties.mode === "Complete" ? "Complete" : "Incremental",
    template: fromPlain(hidden.template),
    positions: noPositions,
    parameters: fromPlain(parameters) as JsonObject,
    templateLink: hidden.templateLink === null ? undefined : (fromPlain(hidden.templateLink) as JsonObject),
    outer: undefined,
    depth: 0,
  };
}
