// vaults/accessPolicies/{add|replace|remove}: changes of the policies alone, as templates make them.

import { z } from "zod";
import { armErrors } from "../../arm/errors.ts";
import { param, parseBody, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { getResource, putResource } from "../../arm/resources/resource-store.ts";
import type { Route } from "../../arm/routes.ts";
import { accessPolicySchema, putVault, type AccessPolicy } from "../../keys/vaults.ts";
import type { KeyVaultServices } from "./services.ts";
import { settingsIn, settledProperties, vaultProperties } from "./vault-properties.ts";

const path =
  "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/Microsoft.KeyVault/vaults/{name}/accessPolicies/{kind}";
const body = z.object({ properties: z.object({ accessPolicies: z.array(accessPolicySchema).max(1024) }) });

export function accessPolicyRoutes(services: KeyVaultServices): Route[] {
  return [
    { method: "PUT", path, handle: (request) => change(services, request), check: (draft) => parseBody(draft, body) },
  ];
}

async function change({ database, tenantId }: KeyVaultServices, request: ArmRequest): Promise<ArmReply> {
  const kind = param(request, "kind").toLowerCase();
  const { accessPolicies: given } = parseBody(request, body).properties;
  const vaultId = request.resourceId.split("/").slice(0, 9).join("/");
  const accessPolicies = await database.transaction(async (trx) => {
    const resource = await getResource(trx, vaultId);
    const properties = vaultProperties.parse(resource.properties);
    const wanted = combine(kind, properties.accessPolicies ?? [], given);
    const settled = settledProperties({ ...properties, accessPolicies: wanted }, resource, tenantId);
    await putResource(
      trx,
      { id: resource.id, location: resource.location, envelope: resource.envelope, properties: settled, tracked: true },
      { caller: request.caller, clock: database.clock },
    );
    await putVault(trx, {
      name: resource.name,
      scope: resource.id,
      tenantId: String(settled["tenantId"]),
      settings: settingsIn(settled),
    });
    return wanted;
  });
  const id = `${vaultId}/accessPolicies/`;
  return {
    status: 200,
    body: { id, type: "Microsoft.KeyVault/vaults/accessPolicies", properties: { accessPolicies } },
  };
}

function combine(kind: string, existing: readonly AccessPolicy[], given: readonly AccessPolicy[]): AccessPolicy[] {
  const isSame = (one: AccessPolicy, other: AccessPolicy): boolean =>
    one.objectId.toLowerCase() === other.objectId.toLowerCase() &&
    (one.applicationId ?? "") === (other.applicationId ?? "");
  const others = existing.filter((one) => !given.some((other) => isSame(one, other)));
  switch (kind) {
    case "add":
      return [
        ...others,
        ...given.map((policy) =>
          merged(
            existing.find((one) => isSame(one, policy)),
            policy,
          ),
        ),
      ];
    case "replace":
      return [...others, ...given];
    case "remove":
      return others;
    default:
      throw armErrors.InvalidParameter(`'${kind.slice(0, 30)}' is not add, replace or remove.`, {
        target: "operationKind",
      });
  }
}

function merged(before: AccessPolicy | undefined, more: AccessPolicy): AccessPolicy {
  const both = (name: keyof AccessPolicy["permissions"]): string[] => [
    ...new Set([...(before?.permissions[name] ?? []), ...(more.permissions[name] ?? [])]),
  ];
  return {
    ...more,
    permissions: {
      keys: both("keys"),
      secrets: both("secrets"),
      certificates: both("certificates"),
      storage: both("storage"),
    },
  };
}
