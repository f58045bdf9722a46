// Items on the wire: protect, change, stop, suspend, take up again, delete, undelete, and back up now. One
// PUT means many things; what it means is read from its body, and each meaning has its own right.

import * as z from "zod";
import { armErrors } from "../../../arm/errors.ts";
import { allowOnly, filterPredicate, parseFilter, requiredEquals } from "../../../arm/filter.ts";
import { resultReply } from "../../../arm/operations/replies.ts";
import { getOperation } from "../../../arm/operations/operation.ts";
import type { Provider } from "../../../arm/provider.ts";
import { ok, param, parseBody, type ArmReply, type ArmRequest, type Draft } from "../../../arm/request.ts";
import { listItems, type ProtectedItem } from "../../../backup/protection/item.ts";
import { policyNames } from "../../../backup/protection/policy-names.ts";
import {
  deleteProtection,
  stopProtection,
  suspendProtection,
  undeleteProtection,
} from "../../../backup/protection/stop.ts";
import { startOnDemandBackup } from "../../../backup/run/start-backup.ts";
import type { Vault } from "../../../backup/vaults/vaults.ts";
import { requireGuard } from "../guards/guard-check.ts";
import { mayDo } from "../may-do.ts";
import { checkType, configure, itemBody, machineOf } from "./configure-item.ts";
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
      { method: "PUT", path: itemPath, handle: (request) => put(services, request), check: asked },
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

const endProtection = `${namespace}/vaults/backupFabrics/protectionContainers/protectedItems/delete`;

function asked(draft: Draft) {
  const { properties } = parseBody(draft, itemBody);
  const { machine, group } = machineInPath(draft);
  checkType(properties);
  return { properties, machine, group };
}

async function put(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { properties, machine, group } = asked(request);
  const state = properties.protectionState?.toLowerCase();
  const ends = properties.isRehydrate !== true && (state === "protectionstopped" || state === "backupssuspended");
  // Whoever may only write items may not end their protection: that is a matter of who may delete them.
  if (ends) await mayDo(services, request, endProtection, request.resourceId);
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
