// `backupstorageconfig/vaultstorageconfig`: redundancy. Where the bytes really are, and how often they
// are copied, is the place's own affair; what is set here is kept and reported.

import * as z from "zod";
import type { Provider } from "../../../arm/provider.ts";
import { ok, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { oneOf } from "../../../backup/policy/wire-schema.ts";
import { redundancies, switches } from "../../../backup/vaults/settings.ts";
import type { Vault } from "../../../backup/vaults/vaults.ts";
import type { RecoveryServices } from "../services.ts";
import { changeSettings, isInUse } from "./vault-changes.ts";
import { apiVersions, namespace, vaultOf, vaultPath } from "./vault-paths.ts";

const path = `${vaultPath}/backupstorageconfig/vaultstorageconfig`;
const type = oneOf([...redundancies, "Invalid"]).nullish();
const onOff = oneOf([...switches, "Invalid"]).nullish();

const storageBody = z.object({
  properties: z.object({
    storageModelType: type,
    storageType: type,
    crossRegionRestoreFlag: z.boolean().nullish(),
    dedupState: onOff,
    xcoolState: onOff,
  }),
});

export function vaultStorageConfigPart(services: RecoveryServices): Provider {
  return {
    namespace,
    resourceTypes: [{ name: "vaults/backupstorageconfig", apiVersions }],
    routes: [
      { method: "GET", path, handle: (request) => show(services, request) },
      {
        method: "PUT",
        path,
        check: (draft) => parseBody(draft, storageBody),
        handle: async (request) => ok(await render(services, await change(services, request))),
      },
      {
        method: "PATCH",
        path,
        handle: async (request) => {
          await change(services, request);
          return { status: 204 };
        },
      },
    ],
  };
}

async function show(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  return ok(await render(services, await vaultOf(services.database.kysely, request)));
}

function change(services: RecoveryServices, request: ArmRequest): Promise<Vault> {
  const { properties } = parseBody(request, storageBody);
  return changeSettings(services, request, ({ settings }) => {
    const asked = properties.storageModelType ?? properties.storageType;
    const dedup = properties.dedupState;
    return {
      ...settings,
      redundancy: {
        type: asked === undefined || asked === null || asked === "Invalid" ? settings.redundancy.type : asked,
        crossRegionRestore: properties.crossRegionRestoreFlag ?? settings.redundancy.crossRegionRestore,
        deduplication:
          dedup === undefined || dedup === null || dedup === "Invalid" ? settings.redundancy.deduplication : dedup,
      },
    };
  });
}

async function render(services: RecoveryServices, vault: Vault): Promise<object> {
  const { redundancy } = vault.settings;
  const isLocked = await isInUse(services, services.database.kysely, vault);
  return {
    id: `${vault.id}/backupstorageconfig/vaultstorageconfig`,
    name: "vaultstorageconfig",
    type: `${namespace}/vaults/backupstorageconfig`,
    properties: {
      storageModelType: redundancy.type,
      storageType: redundancy.type,
      storageTypeState: isLocked ? "Locked" : "Unlocked",
      crossRegionRestoreFlag: redundancy.crossRegionRestore,
      dedupState: redundancy.deduplication,
      xcoolState: "Disabled",
    },
  };
}
