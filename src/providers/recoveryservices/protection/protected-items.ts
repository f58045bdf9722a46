// Items on the wire: protect, change, stop, suspend, take up again, delete, undelete, and back up now. One
// PUT means many things; what it means is read from its body, and each meaning has its own right.

import * as z from "zod";
import { armErrors } from "../../../arm/errors.ts";
import { allowOnly, filterPredicate, parseFilter, requiredEquals } from "../../../arm/filter.ts";
import { resultReply } from "../../../arm/operations/replies.ts";
import { getOperation } from "../../../arm/operations/operation.ts";
import type { Provider } from "../../../arm/provider.ts";
import { ok, param, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import type { DiskChoice } from "../../../backup/capture/index.ts";
import type { Job } from "../../../backup/jobs/job.ts";
import { protectionErrors } from "../../../backup/protection/errors.ts";
import { listItems, type ProtectedItem } from "../../../backup/protection/item.ts";
import { policyNames } from "../../../backup/protection/policy-names.ts";
import { protect } from "../../../backup/protection/protect.ts";
import {
  deleteProtection,
  stopProtection,
  suspendProtection,
  undeleteProtection,
} from "../../../backup/protection/stop.ts";
import { shortenings } from "../../../backup/retention/shortening.ts";
import { startOnDemandBackup } from "../../../backup/run/start-backup.ts";
import { findPolicy, getPolicy, type StoredPolicy } from "../../../backup/vaults/policies.ts";
import type { Vault, Writer } from "../../../backup/vaults/vaults.ts";
import type { InventoryMachine } from "../../../inventory/inventory.ts";
import { requireGuard } from "../guards/guard-check.ts";
import { findItemOf, itemOf, itemPath, machineInPath } from "./item-paths.ts";
import { operationRoutes } from "../jobs/operation-routes.ts";
import { jobReply } from "../jobs/operations.ts";
import { renderItem } from "./protected-items-shape.ts";
import type { RecoveryServices } from "../services.ts";
import { apiVersions, doerOf, namespace, vaultOf, vaultPath } from "../vaults/vault-paths.ts";

export function protectedItemsPart(services: RecoveryServices): Provider {
  const [status] = operationRoutes(services, itemPath, { status: "operationsStatus", result: "unused" });
  return {
    namespace,
    resourceTypes: [
      { name: "vaults/backupProtectedItems", apiVersions },
      { name: "vaults/backupFabrics/protectionContainers/protectedItems", apiVersions },
    ],
    routes: [
      { method: "GET", path: `${vaultPath}/backupProtectedItems`, handle: (request) => list(services, request) },
      { method: "GET", path: itemPath, handle: (request) => show(services, request) },
      { method: "PUT", path: itemPath, handle: (request) => put(services, request) },
      { method: "DELETE", path: itemPath, handle: (request) => remove(services, request) },
      { method: "POST", path: `${itemPath}/backup`, handle: (request) => backUp(services, request) },
      ...(status === undefined ? [] : [status]),
      {
        method: "GET",
        path: `${itemPath}/operationResults/{operation}`,
        handle: (request) => result(services, request),
      },
    ],
  };
}

async function list(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { database, paging } = services;
  const vault = await vaultOf(database.kysely, request);
  const filter = parseFilter(request.query.get("$filter"));
  allowOnly(filter, ["backupManagementType", "itemType", "policyName", "friendlyName", "fabricName", "healthState"]);
  const page = paging.read(request);
  const isOurs = filterPredicate<string>(
    filter,
    (_, field) => fixedFields[field.toLowerCase()] ?? passes(filter, field),
  );
  const policy = requiredEquals(filter, "policyName");
  const name = requiredEquals(filter, "friendlyName");
  const wanted = {
    ...(policy === undefined ? {} : { policy: String(policy) }),
    ...(name === undefined ? {} : { name: String(name) }),
  };
  const items = isOurs("")
    ? await listItems(database.kysely, vault, wanted, {
        // A name is looked for among all items.
        ...(name === undefined ? { limit: page.limit + 1 } : {}),
        ...(page.after === undefined ? {} : { after: page.after }),
      })
    : [];
  const names = await policyNames(database.kysely, vault);
  const now = database.clock.now();
  return paging.reply(
    request,
    page,
    items,
    ({ key }) => key,
    (item) => renderItem(vault, item, names, now),
  );
}

/** What is the same for every item here. */
const fixedFields: Readonly<Record<string, string>> = {
  backupmanagementtype: "AzureIaasVM",
  itemtype: "VM",
  fabricname: "Azure",
};

/** Fields that the query itself looks at. */
function passes(filter: ReturnType<typeof parseFilter>, field: string): string {
  return String(requiredEquals(filter, field) ?? "");
}

async function show(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { kysely } = services.database;
  const vault = await vaultOf(kysely, request);
  return ok(await render(services, vault, await itemOf(kysely, vault, request)));
}

async function render(services: RecoveryServices, vault: Vault, item: ProtectedItem): Promise<object> {
  const { kysely, clock } = services.database;
  return renderItem(vault, item, await policyNames(kysely, vault), clock.now());
}

const itemBody = z.object({
  properties: z.object({
    protectedItemType: z.string().nullish(),
    policyId: z.string().max(2048).nullish(),
    sourceResourceId: z.string().max(2048).nullish(),
    protectionState: z.string().nullish(),
    isRehydrate: z.boolean().nullish(),
    extendedProperties: z
      .object({
        diskExclusionProperties: z
          .object({ diskLunList: z.array(z.number().int()).max(64), isInclusionList: z.boolean() })
          .nullish(),
      })
      .nullish(),
  }),
});
type ItemProperties = z.output<typeof itemBody>["properties"];

async function put(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { properties } = parseBody(request, itemBody);
  const { machine, group } = machineInPath(request);
  checkType(properties);
  const state = properties.protectionState?.toLowerCase();
  const ends = properties.isRehydrate !== true && (state === "protectionstopped" || state === "backupssuspended");
  // Whoever may only write items may not end their protection: that is a matter of who may delete them.
  if (ends)
    await mayDo(services, request, `${namespace}/vaults/backupFabrics/protectionContainers/protectedItems/delete`);
  const known =
    ends || properties.isRehydrate === true
      ? undefined
      : await machineOf(services, request, properties, `${group}/${machine}`);
  return services.database.transaction(async (trx) => {
    const vault = await vaultOf(trx, request);
    const by = doerOf(request);
    if (properties.isRehydrate === true) {
      const { item, job } = await undeleteProtection(trx, vault, await itemOf(trx, vault, request), by);
      return jobReply(services, trx, request, item.id, job);
    }
    if (ends) {
      const item = await itemOf(trx, vault, request);
      await requireGuard(services, trx, vault, "updateProtection", request);
      const end = state === "protectionstopped" ? stopProtection : suspendProtection;
      return jobReply(services, trx, request, item.id, (await end(trx, vault, item, by)).job);
    }
    if (known === undefined) throw new Error("a machine is to be protected, and nobody looked for it");
    const { item, job } = await configure(services, trx, request, vault, properties, known);
    return jobReply(services, trx, request, item.id, job);
  });
}

async function configure(
  services: RecoveryServices,
  trx: Writer,
  request: ArmRequest,
  vault: Vault,
  properties: ItemProperties,
  machine: InventoryMachine,
): Promise<{ item: ProtectedItem; job: Job }> {
  const policy = await getPolicy(trx, vault, policyNameIn(vault, properties.policyId ?? ""));
  const before = await findItemOf(trx, vault, request);
  if (before?.policyKey !== undefined) await checkSwap(services, trx, request, vault, before.policyKey, policy);
  const choice = choiceIn(properties);
  const isFresh = before?.policyKey === undefined;
  return protect(trx, {
    vault,
    machine,
    policy: { name: policy.name, policy: policy.policy },
    disks: choice === "keep" && isFresh ? undefined : choice,
    by: doerOf(request),
  });
}

/** A policy that keeps points for less is refused by an immutable vault, and held back by a guard. */
async function checkSwap(
  services: RecoveryServices,
  trx: Writer,
  request: ArmRequest,
  vault: Vault,
  policyKey: string,
  next: StoredPolicy,
): Promise<void> {
  const present = await findPolicy(trx, vault, policyKey);
  const [shorter] = present === undefined ? [] : shortenings(present.policy, next.policy);
  if (shorter === undefined) return;
  if (vault.settings.immutability !== "Disabled") {
    throw protectionErrors.BMSUserErrorImmutabilityViolation(
      `The vault is immutable: with the policy '${next.name}' recovery points would go earlier ('${shorter.field}' from ${shorter.before} to ${shorter.after}).`,
      { target: "properties.policyId", remedy: "Choose a policy that keeps them at least as long." },
    );
  }
  await requireGuard(services, trx, vault, "updateProtection", request);
}

async function remove(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  return services.database.transaction(async (trx) => {
    const vault = await vaultOf(trx, request);
    const item = await findItemOf(trx, vault, request);
    if (item === undefined) return { status: 204 };
    await requireGuard(services, trx, vault, "deleteProtection", request);
    const { job } = await deleteProtection(trx, vault, item, doerOf(request));
    return jobReply(services, trx, request, item.id, job);
  });
}

const backupBody = z.object({
  properties: z.object({
    objectType: z.string().nullish(),
    recoveryPointExpiryTimeInUTC: z.iso.datetime({ offset: true, local: true }).nullish(),
  }),
});

async function backUp(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { properties } = parseBody(request, backupBody);
  const wanted = properties.objectType ?? "IaasVMBackupRequest";
  if (wanted.toLowerCase() !== "iaasvmbackuprequest") {
    throw armErrors.InvalidParameter(`'properties.objectType' is '${wanted}'. A machine takes IaasVMBackupRequest.`, {
      target: "properties.objectType",
    });
  }
  const expiry = properties.recoveryPointExpiryTimeInUTC;
  const found = await itemOf(services.database.kysely, await vaultOf(services.database.kysely, request), request);
  const machine = await services.inventory.findMachine(found.machineId);
  return services.database.transaction(async (trx) => {
    const vault = await vaultOf(trx, request);
    const item = await itemOf(trx, vault, request);
    const job = await startOnDemandBackup(trx, {
      vault,
      item,
      machine,
      expiresAt: expiry === undefined || expiry === null ? undefined : utcTime(expiry),
      by: doerOf(request),
    });
    return jobReply(services, trx, request, item.id, job);
  });
}

/** A time without a zone is one of UTC. */
function utcTime(text: string): number {
  return Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`);
}

/** What the operation led to: the item as it is, if there still is one. */
async function result(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { kysely } = services.database;
  const vault = await vaultOf(kysely, request);
  const operation = await getOperation(kysely, param(request, "operation"));
  if (!operation.resourceId.toLowerCase().startsWith(`${vault.key}/`)) {
    throw armErrors.OperationNotFound(`The operation '${operation.id}' was not found in this vault.`);
  }
  if (operation.status !== "Succeeded") return resultReply(request, operation);
  const item = await findItemOf(kysely, vault, request);
  return item === undefined ? { status: 204 } : ok(await render(services, vault, item));
}

function checkType({ protectedItemType }: ItemProperties): void {
  const type = (protectedItemType ?? "Microsoft.Compute/virtualMachines").toLowerCase();
  if (type === "microsoft.compute/virtualmachines") return;
  throw armErrors.InvalidParameter(
    `'properties.protectedItemType' is '${protectedItemType}'. Here it is Microsoft.Compute/virtualMachines.`,
    { target: "properties.protectedItemType" },
  );
}

/** The machine that the body speaks of; it has to be the one of the path, and the caller's to change. */
async function machineOf(
  services: RecoveryServices,
  request: ArmRequest,
  { sourceResourceId }: ItemProperties,
  named: string,
): Promise<InventoryMachine> {
  if (sourceResourceId === undefined || sourceResourceId === null || sourceResourceId === "") {
    throw armErrors.InvalidParameter("'properties.sourceResourceId' is missing: it is the id of the machine.", {
      target: "properties.sourceResourceId",
    });
  }
  const [, , , , group = "", , , , name = ""] = sourceResourceId.split("/");
  if (`${group}/${name}`.toLowerCase() !== named.toLowerCase()) {
    throw protectionErrors.BMSUserErrorInvalidItem(
      `'properties.sourceResourceId' is ${sourceResourceId.slice(0, 300)}; the path names the machine ${named}.`,
      { target: "properties.sourceResourceId" },
    );
  }
  await mayDo(services, request, "Microsoft.Compute/virtualMachines/write", sourceResourceId);
  const machine = await services.inventory.findMachine(sourceResourceId);
  if (machine !== undefined) return machine;
  throw protectionErrors.UserErrorVmNotFoundV2(`There is no machine ${sourceResourceId.slice(0, 300)}.`, {
    target: "properties.sourceResourceId",
  });
}

function mayDo(
  { access }: RecoveryServices,
  request: ArmRequest,
  action: string,
  scope: string = request.resourceId,
): Promise<void> {
  return access.check({
    principal: { objectId: request.caller.principalId, name: request.caller.name },
    action,
    scope,
  });
}

function policyNameIn(vault: Vault, policyId: string): string {
  const prefix = `${vault.key}/backuppolicies/`;
  const name = policyId.toLowerCase().startsWith(prefix) ? policyId.slice(prefix.length) : "";
  if (name !== "" && !name.includes("/")) return name;
  throw armErrors.InvalidParameter(
    `'properties.policyId' is '${policyId.slice(0, 300)}'. It is the id of a policy of this vault: ${vault.id}/backupPolicies/{name}.`,
    { target: "properties.policyId" },
  );
}

/** An empty `extendedProperties` takes the choice back; none leaves it as it is. */
function choiceIn({ extendedProperties }: ItemProperties): DiskChoice | "keep" | undefined {
  if (extendedProperties === undefined || extendedProperties === null) return "keep";
  const disks = extendedProperties.diskExclusionProperties;
  if (disks === undefined || disks === null) return undefined;
  return { kind: disks.isInclusionList ? "include" : "exclude", luns: [...new Set(disks.diskLunList)] };
}
