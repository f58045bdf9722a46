// `backupProtectionIntent`: what templates write that protect a machine along with making it. An intent for
// a machine protects it at once and is kept to be read again; taking it back leaves the protection.

import * as z from "zod";
import { allowOnly, filterPredicate, parseFilter } from "../../../arm/filter.ts";
import type { Provider } from "../../../arm/provider.ts";
import { noContent, ok, parseBody, type ArmReply, type ArmRequest, type Draft } from "../../../arm/request.ts";
import { deleteResource, getResource, listResources, putResource } from "../../../arm/resources/resource-store.ts";
import type { Resource } from "../../../arm/resources/resource.ts";
import { vaultErrors } from "../../../backup/vaults/errors.ts";
import type { RecoveryServices } from "../services.ts";
import { apiVersions, namespace, vaultOf, vaultPath } from "../vaults/vault-paths.ts";
import { configure, machineOf } from "./configure-item.ts";
import { fabricPath } from "./item-paths.ts";

const type = "vaults/backupFabrics/backupProtectionIntent";
const one = `${fabricPath}/backupProtectionIntent/{intent}`;
const intentType = "AzureResourceItem";

export function protectionIntentsPart(services: RecoveryServices): Provider {
  return {
    namespace,
    resourceTypes: [{ name: type, apiVersions }],
    routes: [
      { method: "GET", path: `${vaultPath}/backupProtectionIntents`, handle: (request) => list(services, request) },
      { method: "GET", path: one, handle: (request) => show(services, request) },
      { method: "PUT", path: one, handle: (request) => put(services, request), check: asked },
      { method: "DELETE", path: one, handle: (request) => remove(services, request) },
    ],
  };
}

interface IntentProperties {
  readonly protectionIntentItemType: typeof intentType;
  readonly backupManagementType: "AzureIaasVM";
  readonly friendlyName: string;
  readonly sourceResourceId: string;
  readonly itemId: string;
  readonly policyId: string;
  readonly protectionState: "Protected";
}

const intentBody = z.object({
  properties: z.object({
    protectionIntentItemType: z.string().max(100),
    policyId: z.string().max(2048),
    sourceResourceId: z.string().max(2048).nullish(),
  }),
});

function asked(draft: Draft) {
  const { properties } = parseBody(draft, intentBody);
  if (properties.protectionIntentItemType.toLowerCase() !== intentType.toLowerCase()) {
    throw vaultErrors.BMSUserErrorOperationNotSupported(
      `'properties.protectionIntentItemType' is '${properties.protectionIntentItemType}': databases inside machines are not protected here.`,
      {
        target: "properties.protectionIntentItemType",
        remedy: `An intent for a machine is of the type ${intentType}.`,
      },
    );
  }
  return properties;
}

async function put(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { sourceResourceId, policyId } = asked(request);
  const machine = await machineOf(services, request, { sourceResourceId }, undefined);
  const { database } = services;
  return database.transaction(async (trx) => {
    const vault = await vaultOf(trx, request);
    const { item } = await configure(services, trx, request, vault, { policyId, sourceResourceId }, machine);
    const draft: IntentProperties = {
      protectionIntentItemType: intentType,
      backupManagementType: "AzureIaasVM",
      friendlyName: item.friendlyName,
      sourceResourceId: item.machineId,
      itemId: item.id,
      policyId,
      protectionState: "Protected",
    };
    const by = { caller: request.caller, clock: database.clock };
    const { resource } = await putResource(trx, { id: request.resourceId, properties: { ...draft } }, by);
    return ok(render(resource));
  });
}

async function list(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { kysely } = services.database;
  const vault = await vaultOf(kysely, request);
  const filter = parseFilter(request.query.get("$filter"));
  allowOnly(filter, ["backupManagementType", "itemName", "itemType", "parentName"]);
  const keep = filterPredicate<Resource<IntentProperties>>(filter, ({ properties }, field) => {
    switch (field.toLowerCase()) {
      case "backupmanagementtype":
        return properties.backupManagementType;
      case "itemtype":
        return "VM";
      case "itemname":
        return properties.friendlyName;
      default:
        return "";
    }
  });
  const all = await listResources<IntentProperties>(kysely, {
    type: `${namespace}/${type}`,
    parent: `${vault.id}/backupFabrics/Azure`,
  });
  return ok({ value: all.filter(keep).map(render) });
}

async function show({ database }: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  await vaultOf(database.kysely, request);
  return ok(render(await getResource(database.kysely, request.resourceId)));
}

async function remove({ database }: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  await database.transaction(async (trx) => {
    await vaultOf(trx, request);
    await deleteResource(trx, request.resourceId);
  });
  return noContent();
}

function render({ id, name, type: of, properties }: Resource<unknown, unknown>): object {
  return { id, name, type: of, properties };
}
