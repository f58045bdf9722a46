// Microsoft.RecoveryServices/vaults as resources.

import { z } from "zod";
import { armErrors } from "../../../arm/errors.ts";
import type { Provider, ResourceLifecycle } from "../../../arm/provider.ts";
import { parseBody } from "../../../arm/request.ts";
import { trackedRoutes, type Change, type Settled, type TrackedType } from "../../../arm/resources/tracked-routes.ts";
import { renderResource, type Resource } from "../../../arm/resources/resource.ts";
import { checkChange, weakensProtection } from "../../../backup/vaults/change-settings.ts";
import { vaultErrors } from "../../../backup/vaults/errors.ts";
import {
  createVault,
  findVault,
  removeVault,
  saveSettings,
  type Reader,
  type Vault,
} from "../../../backup/vaults/vaults.ts";
import { appendEvent } from "../../../events/append.ts";
import { mayDo } from "../may-do.ts";
import { encryptingRoutes } from "./encryption.ts";
import { requireGuard } from "../guards/guard-check.ts";
import { isInUse } from "./vault-changes.ts";
import { doerOf, apiVersions, namespace } from "./vault-paths.ts";
import { removeOwnIdentity, settleIdentity } from "./vault-identity.ts";
import {
  mergeSettings,
  ownProperties,
  renderProperties,
  vaultProperties,
  type OwnProperties,
  type VaultProperties,
} from "./vault-properties.ts";
import type { RecoveryServices } from "../services.ts";
import { checkVaultName } from "./vault-name.ts";

export function vaultsPart(services: RecoveryServices): Provider {
  const lifecycle: ResourceLifecycle = {
    blockers: async (reader, resource) => {
      const vault = await findVault(reader, resource.id);
      return vault === undefined ? [] : blockersOf(services, reader, vault);
    },
    remove: async (trx, resource) => {
      const vault = await findVault(trx, resource.id);
      if (vault !== undefined) await removeVault(trx, vault, { actor: "resources", correlationId: vault.guid });
      await removeOwnIdentity(
        trx,
        { tenantId: services.tenantId, resourceId: resource.id },
        resource.envelope.identity,
      );
    },
  };
  const type: TrackedType<VaultProperties> = {
    namespace,
    type: "vaults",
    properties: vaultProperties,
    checkName: checkVaultName,
    settle: (change) => settle(services, change),
    lifecycle: { ...lifecycle, blockers: (reader, resource) => refuseWhileInUse(services, reader, resource) },
    render: renderResource,
  };
  return {
    namespace,
    resourceTypes: [{ name: type.type, apiVersions, capabilities: "SupportsTags, SupportsLocation" }],
    routes: encryptingRoutes(services, trackedRoutes(services, type)),
    lifecycles: { [type.type]: lifecycle },
  };
}

/** Read apart from the envelope: a patch's envelope has the present identity where none was asked for. */
const identityBody = z.object({ identity: z.record(z.string(), z.unknown()).nullish() });

async function settle(services: RecoveryServices, change: Change<VaultProperties>): Promise<Settled> {
  const { trx, id, name, location, existing, properties, request } = change;
  const by = doerOf(request);
  const before = (await findVault(trx, id)) ?? (await createVault(trx, { id, location }, by));
  const identity = await settleIdentity(trx, {
    asked: parseBody(request, identityBody).identity ?? undefined,
    before: existing?.envelope.identity,
    tenantId: services.tenantId,
    resourceId: id,
    name,
    mayAssign: (identityId) =>
      mayDo(services, request, "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", identityId),
  });
  const settings = mergeSettings(properties, before.settings);
  checkChange(before.settings, settings, await isInUse(services, trx, before));
  if (weakensProtection(before.settings, settings))
    await requireGuard(services, trx, before, "weakenProtection", request);
  const vault = await saveSettings(trx, before, settings, by);
  const own = ownProperties(properties, existing?.properties as OwnProperties | undefined);
  // Tags, the identity and what only the resource shows are no settings, but the vault's store keeps them too.
  if (existing !== undefined)
    appendEvent(trx, { type: "vault.described", subject: vault.key, data: { id: vault.id }, ...by });
  // What a client says of its identity is asked for, never kept: the vault would act as whom it names.
  const { identity: _asked, ...envelope } = change.envelope;
  return {
    properties: renderProperties(own, vault.settings),
    envelope: {
      ...envelope,
      sku: skuOf(change.envelope.sku),
      ...(identity === undefined ? {} : { identity }),
    },
  };
}

const skuNames = ["Standard", "RS0"];

function skuOf(asked: Readonly<Record<string, unknown>> | undefined): { name: string; tier: string } {
  const wanted = asked?.["name"] ?? "Standard";
  const name = skuNames.find((known) => known.toLowerCase() === String(wanted).toLowerCase());
  if (name !== undefined) return { name, tier: "Standard" };
  throw armErrors.InvalidParameter(
    `'sku.name' is '${String(wanted).slice(0, 80)}'; a vault's is one of ${skuNames.join(", ")}.`,
    { target: "sku.name" },
  );
}

/** az goes on with --force only when it reads "existing resources within the vault". */
async function refuseWhileInUse(services: RecoveryServices, reader: Reader, resource: Resource): Promise<string[]> {
  const vault = await findVault(reader, resource.id);
  if (vault === undefined) return [];
  const blockers = await blockersOf(services, reader, vault);
  if (blockers.length === 0) return [];
  throw vaultErrors.BMSUserErrorVaultDeletionNotAllowed(
    `Vault cannot be deleted as there are existing resources within the vault. ${blockers.join(" ")}`,
    { target: resource.id },
  );
}

async function blockersOf(services: RecoveryServices, reader: Reader, vault: Vault): Promise<string[]> {
  const each = await Promise.all(services.vaultUses.map((use) => use.blockers(reader, vault)));
  return each.flat();
}
