// How much is in a vault, in the three forms in which clients ask.

import { allowOnly, parseFilter, requiredEquals } from "../../../arm/filter.ts";
import type { Provider } from "../../../arm/provider.ts";
import { ok, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import type { RecoveryServices } from "../services.ts";
import { itemsByPolicy } from "./vault-changes.ts";
import { apiVersions, namespace, vaultOf, vaultPath } from "./vault-paths.ts";

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

const mostItems = 1000;

async function usages(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  return ok({ value: [usage("ProtectedItems", await protectedItems(services, request), mostItems)] });
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
  return ok({ value: [usage(name, count, -1)] });
}

async function protectedItems(services: RecoveryServices, request: ArmRequest): Promise<number> {
  const { kysely } = services.database;
  const counts = await itemsByPolicy(services, kysely, await vaultOf(kysely, request));
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

function usage(name: string, currentValue: number, limit: number): object {
  return { unit: "Count", quotaPeriod: "P1D", currentValue, limit, name: { value: name, localizedValue: name } };
}
