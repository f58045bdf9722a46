// Microsoft.Holdfast settings of a vault, beside Azure's own: where its bytes are, whether a local tier
// stands before that place, and how often what was stored is looked at again.

import * as z from "zod";
import type { Provider } from "../../../arm/provider.ts";
import { ok, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { storeCredential, storeLocation, type StoreLocation } from "../../../backup/stores/location.ts";
import { vaultStore } from "../../../backup/stores/store-name.ts";
import { vaultErrors } from "../../../backup/vaults/errors.ts";
import type { Vault } from "../../../backup/vaults/vaults.ts";
import { mayDo } from "../may-do.ts";
import type { RecoveryServices } from "../services.ts";
import { changeSettings } from "./vault-changes.ts";
import { namespace, vaultOf, vaultPath } from "./vault-paths.ts";

const holdfast = "Microsoft.Holdfast";
const path = `${vaultPath}/providers/${holdfast}/vaultSettings/default`;

export function vaultSettingsPart(services: RecoveryServices): Provider {
  return {
    namespace: holdfast,
    resourceTypes: [{ name: "vaultSettings", apiVersions: ["2026-01-01"] }],
    routes: [
      {
        method: "GET",
        path,
        action: `${namespace}/vaults/read`,
        handle: async (request) => ok(render(await vaultOf(services.database.kysely, request))),
      },
      {
        method: "PUT",
        path,
        action: `${namespace}/vaults/write`,
        check: (draft) => parseBody(draft, settingsBody),
        handle: (request) => put(services, request),
      },
    ],
  };
}

const days = z.number().int().min(0).max(3650);
const settingsBody = z.object({
  properties: z.strictObject({
    place: z
      .strictObject({
        location: storeLocation,
        hot: storeLocation.optional(),
        /** Is taken once and never shown. */
        credential: storeCredential.optional(),
      })
      .optional(),
    verification: z.strictObject({ scrubEveryDays: days, deepVerifyEveryDays: days }).optional(),
  }),
});

async function put(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { place, verification } = parseBody(request, settingsBody).properties;
  if (place !== undefined) {
    for (const location of [place.location, place.hot]) await mayWriteAt(services, request, location);
    const vault = await vaultOf(services.database.kysely, request);
    await refuseMove(services, vault, place);
    const { credential, ...where } = place;
    const draft = credential === undefined ? where : { ...where, credential };
    // At once: a place that cannot be used is told of now, not by the first backup.
    await services.stores.create(vaultStore(vault.guid), draft, request.signal);
  }
  const vault = await changeSettings(services, request, ({ settings }) => ({
    ...settings,
    ...(place === undefined
      ? {}
      : { place: { location: place.location, ...(place.hot === undefined ? {} : { hot: place.hot }) } }),
    ...(verification === undefined ? {} : { verification }),
  }));
  return ok(render(vault));
}

/** The bytes stay where they are: a vault is moved by copying its store and attaching the copy. */
async function refuseMove(
  { stores }: RecoveryServices,
  vault: Vault,
  place: { readonly location: StoreLocation; readonly hot?: StoreLocation | undefined },
): Promise<void> {
  const record = await stores.find(vaultStore(vault.guid));
  if (record === undefined) return;
  const same = (a: unknown, b: unknown): boolean => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
  if (same(record.location, place.location) && same(record.hot, place.hot)) return;
  throw vaultErrors.VaultPlaceInUse(
    `The vault '${vault.name}' has a place already: ${JSON.stringify(record.location)}.`,
    {
      target: "properties.place",
    },
  );
}

/** A folder of the service's own machine is for those who may choose it there. */
export async function mayWriteAt(
  services: RecoveryServices,
  request: ArmRequest,
  location: StoreLocation | undefined,
): Promise<void> {
  if (location?.kind !== "folder" || location.path === undefined) return;
  await mayDo(services, request, `${holdfast}/vaultPlaces/write`, "");
}

function render(vault: Vault): object {
  const { place, verification } = vault.settings;
  return {
    id: `${vault.id}/providers/${holdfast}/vaultSettings/default`,
    name: "default",
    type: `${holdfast}/vaultSettings`,
    properties: { place, verification },
  };
}
