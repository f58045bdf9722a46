// How much is in a vault, in the three forms in which clients ask.

import { allowOnly, parseFilter, requiredEquals } from "../../../arm/filter.ts";
import type { Provider } from "../../../arm/provider.ts";
import { ok, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { openStatuses } from "../../../backup/jobs/job.ts";
import { countJobs } from "../../../backup/jobs/read-jobs.ts";
import { listItems } from "../../../backup/protection/item.ts";
import type { RecoveryServices } from "../services.ts";
import { itemsByPolicy } from "./vault-changes.ts";
import { apiVersions, namespace, vaultOf, vaultPath } from "./vault-paths.ts";

const dayMilliseconds = 86_400_000;

export function usagesPart(services: RecoveryServices): Provider {
  return {
    namespace,
    resourceTypes: [
      { name: "vaults/usages", apiVersions },
      { name: "vaults/replicationUsages", apiVersions },
      { name: "vaults/backupUsageSummaries", apiVersions },
    ],
    routes: [
      { method: "GET", path: `${vaultPath}/usages`, handle: (request) => usages(services, request) },
      { method: "GET", path: `${vaultPath}/replicationUsages`, handle: (request) => replication(services, request) },
      { method: "GET", path: `${vaultPath}/backupUsageSummaries`, handle: (request) => summaries(services, request) },
    ],
  };
}

/** The names are Azure's; of what is not here (servers with agents, replicas) nothing is counted. */
async function usages({ database }: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const reader = database.kysely;
  const vault = await vaultOf(reader, request);
  const items = await listItems(reader, vault);
  const failing = items.filter(({ lastBackupStatus }) => lastBackupStatus === "Failed").length;
  const jobs = await countJobs(reader, vault, database.clock.now() - dayMilliseconds);
  const open = openStatuses.reduce((sum, status) => sum + (jobs.get(status) ?? 0), 0);
  return ok({
    value: [
      usage("ProtectedItemCount", "Backup items/Azure virtual machine backup", items.length),
      usage("ProtectedItemCriticalCount", "Critical", failing),
      usage("ProtectedItemWarningCount", "Warning", 0),
      usage("IaaSVMProtectedItemCount", "Azure Virtual Machines", items.length),
      usage("IaaSVMProtectedItemCriticalCount", "Critical", failing),
      usage("IaaSVMProtectedItemWarningCount", "Warning", 0),
      usage("ManagedInstances", "Protected Instances", items.length),
      { ...usage("InProgressJobsCount", "In progress", open), quotaPeriod: "P1D" },
      { ...usage("FailedJobsCount", "Failed", jobs.get("Failed") ?? 0), quotaPeriod: "P1D" },
    ],
  });
}

/** Nothing is replicated to other sites here, so there is nothing to count. */
async function replication({ database }: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  await vaultOf(database.kysely, request);
  return ok({ value: [] });
}

async function summaries(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const filter = parseFilter(request.query.get("$filter"));
  allowOnly(filter, ["type"]);
  const wanted = String(requiredEquals(filter, "type") ?? "").toLowerCase();
  const count = await protectedItems(services, request);
  // A machine is its own container, so both summaries count alike.
  const name = wanted === "backupprotectioncontainercountsummary" ? "Registered" : "Protected";
  return ok({ value: [{ ...usage(name, name, count), quotaPeriod: "P1D" }] });
}

async function protectedItems(services: RecoveryServices, request: ArmRequest): Promise<number> {
  const { kysely } = services.database;
  const counts = await itemsByPolicy(services, kysely, await vaultOf(kysely, request));
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

function usage(name: string, shown: string, currentValue: number): object {
  return { unit: "Count", currentValue, limit: -1, name: { value: name, localizedValue: shown } };
}
