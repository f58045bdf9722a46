// With which key a vault is encrypted: `properties.encryption` of the vault (az sends it with PATCH) and
// `backupEncryptionConfigs`. The change takes effect at once, for all that is in the vault: only the key
// that opens its store is wrapped anew.

import * as z from "zod";
import type { Provider } from "../../../arm/provider.ts";
import { getResource } from "../../../arm/resources/resource-store.ts";
import { renderResource } from "../../../arm/resources/resource.ts";
import { ok, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import type { Route } from "../../../arm/routes.ts";
import { customerKeyErrors, storeKeyOf, type CustomerKey } from "../../../backup/keys/customer-key.ts";
import { startKeyUpdate } from "../../../backup/keys/key-update-job.ts";
import { vaultStore } from "../../../backup/stores/store-name.ts";
import type { VaultSettings } from "../../../backup/vaults/settings.ts";
import type { Vault } from "../../../backup/vaults/vaults.ts";
import { restoreErrors } from "../../../backup/restore/errors.ts";
import type { RecoveryServices } from "../services.ts";
import { changeSettings } from "./vault-changes.ts";
import { identityOf, type ChosenIdentity } from "./own-identity.ts";
import { apiVersions, doerOf, namespace, vaultIdOf, vaultOf, vaultPath } from "./vault-paths.ts";

const path = `${vaultPath}/backupEncryptionConfigs/backupResourceEncryptionConfig`;

type Encryption = NonNullable<VaultSettings["encryption"]>;

export function encryptionPart(services: RecoveryServices): Provider {
  return {
    namespace,
    resourceTypes: [{ name: "vaults/backupEncryptionConfigs", apiVersions }],
    routes: [
      { method: "GET", path, handle: (request) => show(services, request) },
      {
        method: "PUT",
        path,
        handle: (request) => put(services, request),
        check: (draft) => parseBody(draft, configBody),
      },
    ],
  };
}

const vaultBody = z.looseObject({
  properties: z
    .looseObject({
      encryption: z
        .looseObject({
          keyVaultProperties: z.looseObject({ keyUri: z.string().min(1).max(2048) }).nullish(),
          kekIdentity: z
            .looseObject({
              useSystemAssignedIdentity: z.boolean().nullish(),
              userAssignedIdentity: z.string().max(2048).nullish(),
            })
            .nullish(),
          infrastructureEncryption: z.enum(["Enabled", "Disabled"]).nullish(),
        })
        .nullish(),
    })
    .nullish(),
});

/** The routes of vaults, whose PUT and PATCH may name a key. */
export function encryptingRoutes(services: RecoveryServices, routes: readonly Route[]): Route[] {
  return routes.map((route) => {
    if (route.method !== "PUT" && route.method !== "PATCH") return route;
    return {
      ...route,
      check: (draft) => {
        parseBody(draft, vaultBody);
        return route.check?.(draft);
      },
      handle: async (request) => {
        const asked = parseBody(request, vaultBody).properties?.encryption;
        const reply = await route.handle(request);
        const keyUri = asked?.keyVaultProperties?.keyUri;
        if (asked === undefined || asked === null || keyUri === undefined || reply.status >= 300) return reply;
        const { infrastructureEncryption } = asked;
        // A client that changes only the key leaves the identity out.
        const vault = await vaultOf(services.database.kysely, request);
        const { useSystemAssignedIdentity, userAssignedIdentity } =
          asked.kekIdentity ?? vault.settings.encryption ?? {};
        await apply(services, request, {
          keyUri,
          useSystemAssignedIdentity: useSystemAssignedIdentity === true,
          ...(typeof userAssignedIdentity !== "string" ? {} : { userAssignedIdentity }),
          ...(typeof infrastructureEncryption !== "string" ? {} : { infrastructureEncryption }),
        });
        return { ...reply, body: renderResource(await getResource(services.database.kysely, vaultIdOf(request))) };
      },
    };
  });
}

const configBody = z.object({
  properties: z.object({
    encryptionAtRestType: z.enum(["CustomerManaged", "MicrosoftManaged"]).nullish(),
    keyUri: z.string().min(1).max(2048).nullish(),
    useSystemAssignedIdentity: z.boolean().nullish(),
    userAssignedIdentity: z.string().max(2048).nullish(),
    infrastructureEncryptionState: z.enum(["Enabled", "Disabled", "Invalid"]).nullish(),
  }),
});

async function put(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { properties } = parseBody(request, configBody);
  const { keyUri, infrastructureEncryptionState: infrastructure } = properties;
  if (typeof keyUri === "string") {
    await apply(services, request, {
      keyUri,
      useSystemAssignedIdentity: properties.useSystemAssignedIdentity === true,
      ...(typeof properties.userAssignedIdentity !== "string"
        ? {}
        : { userAssignedIdentity: properties.userAssignedIdentity }),
      ...(typeof infrastructure !== "string" || infrastructure === "Invalid"
        ? {}
        : { infrastructureEncryption: infrastructure }),
    });
  } else if (properties.encryptionAtRestType === "MicrosoftManaged") {
    const vault = await vaultOf(services.database.kysely, request);
    if (vault.settings.encryption !== undefined) {
      throw restoreErrors.UserErrorRestoreNotSupported(
        "A vault with a customer-managed key does not go back to the platform's key.",
        { target: "encryptionAtRestType" },
      );
    }
  }
  return show(services, request);
}

async function apply(
  services: RecoveryServices,
  request: ArmRequest,
  asked: Omit<Encryption, "infrastructureEncryption"> & Partial<Pick<Encryption, "infrastructureEncryption">>,
): Promise<void> {
  const vault = await vaultOf(services.database.kysely, request);
  const key: CustomerKey = {
    keyUri: asked.keyUri,
    principalId: await keyIdentityOf(services, vault, asked),
  };
  await useKey(services, vault, key, request.signal);
  const infrastructureEncryption =
    asked.infrastructureEncryption ?? vault.settings.encryption?.infrastructureEncryption ?? "Disabled";
  await changeSettings(services, request, async ({ settings }, trx) => {
    await startKeyUpdate(trx, vault, asked.keyUri, doerOf(request));
    return { ...settings, encryption: { ...asked, infrastructureEncryption } };
  });
}

/** A store that is not there yet is made under the key; one that is there changes to it. Fails when the key cannot be used. */
async function useKey(
  { stores }: RecoveryServices,
  vault: Vault,
  key: CustomerKey,
  signal: AbortSignal,
): Promise<void> {
  const name = vaultStore(vault.guid);
  const storeKey = storeKeyOf(key);
  if ((await stores.find(name)) !== undefined) return stores.changeKey(name, storeKey, signal);
  const { location, hot } = vault.settings.place;
  await stores.create(name, { location, key: storeKey, ...(hot === undefined ? {} : { hot }) }, signal);
}

async function keyIdentityOf({ database }: RecoveryServices, vault: Vault, asked: ChosenIdentity): Promise<string> {
  const principal = await identityOf(database, vault, asked);
  if (principal !== undefined) return principal;
  throw customerKeyErrors.UserErrorKeyVaultIdentityMissing(
    asked.useSystemAssignedIdentity
      ? `The vault ${vault.name} has no identity of its own.`
      : `The vault ${vault.name} has not the identity '${asked.userAssignedIdentity ?? ""}'.`,
    { target: "kekIdentity" },
  );
}

async function show({ database }: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const vault = await vaultOf(database.kysely, request);
  const { encryption } = vault.settings;
  return ok({
    id: `${vault.id}/backupEncryptionConfigs/backupResourceEncryptionConfig`,
    name: "backupResourceEncryptionConfig",
    type: `${namespace}/vaults/backupEncryptionConfigs`,
    properties: {
      encryptionAtRestType: encryption === undefined ? "MicrosoftManaged" : "CustomerManaged",
      keyUri: encryption?.keyUri ?? null,
      subscriptionId: vault.id.split("/")[2],
      lastUpdateStatus: encryption === undefined ? "NotEnabled" : "Succeeded",
      infrastructureEncryptionState: encryption?.infrastructureEncryption ?? "Disabled",
      useSystemAssignedIdentity: encryption?.useSystemAssignedIdentity ?? false,
      userAssignedIdentity: encryption?.userAssignedIdentity ?? null,
    },
  });
}
