// What is asked of a region rather than of a vault: whether a name is free, what is offered there.

import * as z from "zod";
import type { Provider } from "../../../arm/provider.ts";
import { ok, param, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { groupScope } from "../../../arm/resource-id.ts";
import { findVault } from "../../../backup/vaults/vaults.ts";
import type { RecoveryServices } from "../services.ts";
import { apiVersions, locationPath, namespace } from "./vault-paths.ts";
import { isVaultName, vaultNameRule } from "./vault-name.ts";

export function vaultLocationsPart(services: RecoveryServices): Provider {
  const inGroup = `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/${namespace}/locations/{location}`;
  return {
    namespace,
    resourceTypes: [{ name: "locations", apiVersions, isGlobal: true }],
    routes: [
      {
        method: "POST",
        path: `${inGroup}/checkNameAvailability`,
        effect: "read",
        handle: (request) => checkNameAvailability(services, request),
      },
      {
        method: "POST",
        path: `${locationPath}/capabilities`,
        effect: "read",
        handle: async (request) => capabilities(request),
      },
    ],
  };
}

const question = z.object({ name: z.string().max(500).nullish(), type: z.string().nullish() });

async function checkNameAvailability({ database }: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const name = parseBody(request, question).name ?? "";
  if (!isVaultName(name)) {
    return ok({ nameAvailable: false, reason: "Invalid", message: vaultNameRule });
  }
  const group = groupScope(param(request, "subscriptionId"), param(request, "resourceGroup"));
  const existing = await findVault(database.kysely, `${group}/providers/${namespace}/vaults/${name}`);
  if (existing === undefined) return ok({ nameAvailable: true });
  return ok({
    nameAvailable: false,
    reason: "AlreadyExists",
    message: `The vault '${name}' exists in this resource group already.`,
  });
}

const wanted = z.object({
  type: z.string().max(300),
  properties: z
    .object({
      dnsZones: z
        .array(z.object({ subResource: z.string().max(100).nullish() }))
        .max(20)
        .nullish(),
    })
    .nullish(),
});

/** Private endpoints are not offered, so no zone requires any. */
function capabilities(request: ArmRequest): ArmReply {
  const { type, properties } = parseBody(request, wanted);
  const dnsZones = (properties?.dnsZones ?? []).map(({ subResource }) => ({ subResource, requiredZoneNames: [] }));
  return ok({ type, properties: { dnsZones } });
}
