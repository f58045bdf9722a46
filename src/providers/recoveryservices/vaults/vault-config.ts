// `backupconfig/vaultconfig`: soft delete and enhanced security, as the backup service shows them.

import * as z from "zod";
import type { Provider } from "../../../arm/provider.ts";
import { ok, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { oneOf } from "../../../backup/policy/wire-schema.ts";
import { weakensProtection } from "../../../backup/vaults/change-settings.ts";
import { softDeleteStates, switches } from "../../../backup/vaults/settings.ts";
import type { Vault } from "../../../backup/vaults/vaults.ts";
import { requireGuard } from "../guards/guard-check.ts";
import type { RecoveryServices } from "../services.ts";
import { changeSettings, isInUse } from "./vault-changes.ts";
import { apiVersions, namespace, vaultOf, vaultPath } from "./vault-paths.ts";

const path = `${vaultPath}/backupconfig/vaultconfig`;

const configBody = z.object({
  properties: z.object({
    softDeleteFeatureState: oneOf([...softDeleteStates, "Invalid"]).nullish(),
    softDeleteRetentionPeriodInDays: z.int().nullish(),
    enhancedSecurityState: oneOf([...switches, "Invalid"]).nullish(),
  }),
});

export function vaultConfigPart(services: RecoveryServices): Provider {
  const change = (request: ArmRequest): Promise<ArmReply> => put(services, request);
  return {
    namespace,
    resourceTypes: [{ name: "vaults/backupconfig", apiVersions }],
    routes: [
      { method: "GET", path, handle: (request) => show(services, request) },
      { method: "PATCH", path, handle: change },
      { method: "PUT", path, handle: change, check: (draft) => parseBody(draft, configBody) },
    ],
  };
}

async function show(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  return ok(await render(services, await vaultOf(services.database.kysely, request)));
}

async function put(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { properties } = parseBody(request, configBody);
  const vault = await changeSettings(services, request, async (before, trx) => {
    const { softDelete, enhancedSecurity } = before.settings;
    const state = properties.softDeleteFeatureState;
    const security = properties.enhancedSecurityState;
    const after = {
      ...before.settings,
      softDelete: {
        state: state === undefined || state === null || state === "Invalid" ? softDelete.state : state,
        retentionDays: properties.softDeleteRetentionPeriodInDays ?? softDelete.retentionDays,
      },
      enhancedSecurity:
        security === undefined || security === null || security === "Invalid" ? enhancedSecurity : security,
    };
    if (weakensProtection(before.settings, after))
      await requireGuard(services, trx, before, "weakenProtection", request);
    return after;
  });
  return ok(await render(services, vault));
}

async function render(services: RecoveryServices, vault: Vault): Promise<object> {
  const { softDelete, enhancedSecurity, redundancy } = vault.settings;
  const isLocked = await isInUse(services, services.database.kysely, vault);
  return {
    id: `${vault.id}/backupconfig/vaultconfig`,
    name: "vaultconfig",
    type: `${namespace}/vaults/backupconfig`,
    properties: {
      storageModelType: redundancy.type,
      storageType: redundancy.type,
      storageTypeState: isLocked ? "Locked" : "Unlocked",
      enhancedSecurityState: enhancedSecurity,
      softDeleteFeatureState: softDelete.state,
      softDeleteRetentionPeriodInDays: softDelete.retentionDays,
      isSoftDeleteFeatureStateEditable: softDelete.state !== "AlwaysON",
      resourceGuardOperationRequests: [],
    },
  };
}
