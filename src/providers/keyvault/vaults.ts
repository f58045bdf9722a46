// Microsoft.KeyVault: vaults as resources. Deleting one keeps it, under its name, until its retention
// is over or it is purged.

import { z } from "zod";
import { armErrors } from "../../arm/errors.ts";
import type { Provider, ResourceLifecycle } from "../../arm/provider.ts";
import { ok, parseBody, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { trackedRoutes, type Change, type Settled, type TrackedType } from "../../arm/resources/tracked-routes.ts";
import {
  isVaultName,
  findDeletedVault,
  findVault,
  putVault,
  softDeleteVault,
  undeleteVault,
} from "../../keys/vaults.ts";
import type { Route } from "../../arm/routes.ts";
import { accessPolicyRoutes } from "./access-policies.ts";
import { deletedVaultRoutes } from "./deleted-vaults.ts";
import { keyVaultErrors } from "./errors.ts";
import type { KeyVaultServices } from "./services.ts";
import { vaultObjectRoutes } from "./vault-objects.ts";
import {
  renderVault,
  settingsIn,
  settledProperties,
  vaultProperties,
  type VaultProperties,
} from "./vault-properties.ts";

export const namespace = "Microsoft.KeyVault";
const apiVersions = ["2024-11-01", "2023-07-01", "2022-07-01", "2021-10-01", "2019-09-01", "2015-06-01"];

export function keyVaultProvider(services: KeyVaultServices): Provider {
  const { keyVaults } = services;
  const lifecycle: ResourceLifecycle = {
    remove: (trx, resource) =>
      softDeleteVault(trx, resource.name, {
        id: resource.id,
        location: resource.location,
        tags: resource.envelope.tags ?? {},
        properties: resource.properties,
      }),
  };
  const type: TrackedType<VaultProperties> = {
    namespace,
    type: "vaults",
    properties: vaultProperties,
    checkName,
    settle: (change) => settle(services, change),
    lifecycle,
    render: (resource) => renderVault(resource, keyVaults.vaultUrl(resource.name.toLowerCase())),
  };
  return {
    namespace,
    resourceTypes: [
      { name: type.type, apiVersions, capabilities: "SupportsTags, SupportsLocation" },
      { name: "vaults/secrets", apiVersions },
      { name: "vaults/keys", apiVersions },
      { name: "vaults/accessPolicies", apiVersions },
      { name: "deletedVaults", apiVersions, isGlobal: true },
      { name: "managedHSMs", apiVersions },
      { name: "deletedManagedHSMs", apiVersions, isGlobal: true },
    ],
    routes: [
      ...trackedRoutes(services, type),
      ...accessPolicyRoutes(services),
      ...vaultObjectRoutes(services),
      ...deletedVaultRoutes(services),
      {
        method: "POST",
        path: `/subscriptions/{subscriptionId}/providers/${namespace}/checkNameAvailability`,
        action: `${namespace}/checkNameAvailability/read`,
        effect: "read",
        handle: (request) => checkNameAvailability(services, request),
      },
      // az lists managed HSMs whenever it lists vaults; there are none here.
      ...["managedHSMs", "deletedManagedHSMs"].map((name): Route => ({
        method: "GET",
        path: `/subscriptions/{subscriptionId}/providers/${namespace}/${name}`,
        handle: async () => ok({ value: [] }),
      })),
    ],
    lifecycles: { [type.type]: lifecycle },
  };
}

const nameRule =
  "A vault's name has 3 to 24 letters, digits and '-', begins with a letter, ends with a letter or digit, and has no two '-' in a row.";

function checkName(name: string): void {
  if (!isVaultName(name))
    throw keyVaultErrors.VaultNameNotValid(`The vault name '${name.slice(0, 60)}' is invalid. ${nameRule}`, {
      target: "name",
    });
}

async function settle(
  services: KeyVaultServices,
  { trx, id, name, existing, properties, caller }: Change<VaultProperties>,
): Promise<Settled> {
  if (existing === undefined) {
    const live = await findVault(trx, name);
    const deleted = await findDeletedVault(trx, name);
    if (live !== undefined)
      throw keyVaultErrors.VaultAlreadyExists(
        `The vault name '${name}' is already in use. Vault names are globally unique.`,
        { target: "name" },
      );
    if (deleted !== undefined && properties.createMode !== "recover") {
      throw armErrors.Conflict(
        `A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. Recover: az keyvault recover --name ${name}; purge: az keyvault purge --name ${name}.`,
        { target: "name" },
      );
    }
    if (deleted === undefined && properties.createMode === "recover")
      throw keyVaultErrors.DeletedVaultNotFound(`There is no deleted vault '${name}' to recover.`);
    if (deleted !== undefined) {
      if (deleted.scope.toLowerCase() !== id.toLowerCase())
        throw keyVaultErrors.DeletedVaultNotFound(
          `The deleted vault '${name}' was ${deleted.scope}. Recover it there.`,
        );
      await undeleteVault(trx, name);
      const kept = vaultProperties.parse((deleted.resource as { properties: unknown }).properties);
      return keep(trx, id, name, settledProperties(kept, undefined, services.tenantId));
    }
  }
  const settled = settledProperties(properties, existing, services.tenantId);
  // Who may write a vault could otherwise let himself into one whose secrets are a matter of roles.
  if (existing !== undefined && settled.enableRbacAuthorization !== existing.properties["enableRbacAuthorization"]) {
    await services.access.check({
      principal: { objectId: caller.principalId, name: caller.name },
      action: "Microsoft.Authorization/roleAssignments/write",
      scope: id,
    });
  }
  return keep(trx, id, name, settled);
}

async function keep(
  trx: Change<VaultProperties>["trx"],
  id: string,
  name: string,
  properties: ReturnType<typeof settledProperties>,
): Promise<Settled> {
  await putVault(trx, {
    name,
    scope: id,
    tenantId: String(properties["tenantId"]),
    settings: settingsIn(properties),
  });
  return { properties };
}

const nameQuestion = z.object({ name: z.string(), type: z.string().optional() });

async function checkNameAvailability({ database }: KeyVaultServices, request: ArmRequest): Promise<ArmReply> {
  const { name } = parseBody(request, nameQuestion);
  if (!isVaultName(name)) return ok({ nameAvailable: false, reason: "AccountNameInvalid", message: nameRule });
  const isTaken =
    (await findVault(database.kysely, name)) !== undefined ||
    (await findDeletedVault(database.kysely, name)) !== undefined;
  if (isTaken)
    return ok({
      nameAvailable: false,
      reason: "AlreadyExists",
      message: `The vault name '${name}' is already in use.`,
    });
  return ok({ nameAvailable: true });
}
