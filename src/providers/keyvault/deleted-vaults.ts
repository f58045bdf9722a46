import { isoTime } from "../../lib/clock.ts";
import { ok, param, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { subscriptionScope } from "../../arm/resource-id.ts";
import type { Route } from "../../arm/routes.ts";
import { findDeletedVault, listDeletedVaults, purgeVault, type DeletedVault } from "../../keys/vaults.ts";
import { keyVaultErrors } from "./errors.ts";
import type { KeyVaultServices } from "./services.ts";

const provider = "/subscriptions/{subscriptionId}/providers/Microsoft.KeyVault";
const one = `${provider}/locations/{location}/deletedVaults/{name}`;

export function deletedVaultRoutes(services: KeyVaultServices): Route[] {
  return [
    { method: "GET", path: `${provider}/deletedVaults`, handle: (request) => list(services, request) },
    { method: "GET", path: one, handle: async (request) => ok(render(await find(services, request))) },
    { method: "POST", path: `${one}/purge`, effect: "delete", handle: (request) => purge(services, request) },
  ];
}

async function list({ database }: KeyVaultServices, request: ArmRequest): Promise<ArmReply> {
  const scope = `${subscriptionScope(param(request, "subscriptionId"))}/`.toLowerCase();
  const vaults = await listDeletedVaults(database.kysely);
  return ok({ value: vaults.filter((vault) => vault.scope.toLowerCase().startsWith(scope)).map(render) });
}

async function find({ database }: KeyVaultServices, request: ArmRequest): Promise<DeletedVault> {
  const name = param(request, "name");
  const vault = await findDeletedVault(database.kysely, name);
  const isHere =
    vault?.scope.toLowerCase().startsWith(`${subscriptionScope(param(request, "subscriptionId"))}/`.toLowerCase()) ===
    true;
  if (vault === undefined || !isHere || locationOf(vault).toLowerCase() !== param(request, "location").toLowerCase()) {
    throw keyVaultErrors.DeletedVaultNotFound(`The specified deleted vault '${name}' does not exist.`);
  }
  return vault;
}

async function purge(services: KeyVaultServices, request: ArmRequest): Promise<ArmReply> {
  const vault = await find(services, request);
  if (vault.settings.enablePurgeProtection) {
    throw keyVaultErrors.DeletedVaultPurgeForbidden(
      `The vault '${vault.name}' has purge protection: it goes on ${isoTime(vault.purgeAt)}, not before.`,
    );
  }
  await services.database.transaction((trx) => purgeVault(trx, vault.name));
  return { status: 200 };
}

function locationOf(vault: DeletedVault): string {
  return (vault.resource as { location?: string }).location ?? "";
}

function render(vault: DeletedVault): object {
  const location = locationOf(vault);
  const subscription = vault.scope.split("/").slice(0, 3).join("/");
  return {
    id: `${subscription}/providers/Microsoft.KeyVault/locations/${location}/deletedVaults/${vault.name}`,
    name: vault.name,
    type: "Microsoft.KeyVault/deletedVaults",
    properties: {
      vaultId: vault.scope,
      location,
      tags: (vault.resource as { tags?: object }).tags ?? {},
      deletionDate: isoTime(vault.deletedAt),
      scheduledPurgeDate: isoTime(vault.purgeAt),
      purgeProtectionEnabled: vault.settings.enablePurgeProtection,
    },
  };
}
