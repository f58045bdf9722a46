// Vaults as the rest of the service uses them: a vault's customer-managed key, the captured keys of
// encrypted disks. Every use is on behalf of a principal and is allowed or refused like its requests,
// so taking a right away takes effect at once.

import type { Database } from "../db/database.ts";
import type { SecretBox } from "../lib/secret-box.ts";
import { checkRight, rights, type ObjectKind, type VaultCaller } from "./access.ts";
import { keyErrors } from "./errors.ts";
import { vaultOf } from "./http/endpoint.ts";
import { decrypt, encrypt, type KeyOperation } from "./key-operations.ts";
import { openKey, rotateDueKeys } from "./keys.ts";
import { assertFree, backUp, exportObject, importObject, restore } from "./object-backup.ts";
import { findNamed, getVersion, purgeExpired, type ObjectName } from "./objects.ts";
import { readSecret } from "./secrets.ts";
import type { KeyStore } from "./store.ts";
import { findVault, purgeVault, type Vault } from "./vaults.ts";

export interface KeyVaults {
  readonly store: KeyStore;
  /** The address that resources show, without the slash at its end. */
  vaultUrl(name: string): string;
  /** `keyId`: a key's URL, with or without version; the answer names the version that was used. */
  wrapKey(
    keyId: string,
    secret: Uint8Array,
    algorithm: string,
    as: VaultCaller,
  ): Promise<{ keyId: string; wrapped: Buffer }>;
  unwrapKey(keyId: string, wrapped: Uint8Array, algorithm: string, as: VaultCaller): Promise<Buffer>;
  getSecret(
    secretId: string,
    as: VaultCaller,
  ): Promise<{
    secretId: string;
    value: string;
    contentType: string | undefined;
    tags: Readonly<Record<string, string>>;
  }>;
  /** All versions, sealed: only `restoreObject` of this service opens it. */
  backUpObject(id: string, as: VaultCaller): Promise<string>;
  /** Into a vault, never over something that is there. Returns the id. */
  restoreObject(vaultName: string, kind: ObjectKind, backup: string, as: VaultCaller): Promise<string>;
  /**
   * What `backUpObject` seals, for who encrypts it with keys of its own; the vault that it is in, and the
   * id with the version that it means now.
   */
  exportObject(id: string, as: VaultCaller): Promise<{ id: string; vaultId: string; content: Buffer }>;
  /** What `exportObject` gave, into a vault; never over something that is there. Returns the vault's id. */
  importObject(vaultName: string, kind: ObjectKind, content: Uint8Array, as: VaultCaller): Promise<string>;
  /** Whether the key or secret is there, in that version, and not deleted. */
  hasObject(id: string): Promise<boolean>;
  /** Fails unless the key or secret is there as `hasObject` has it, or `importObject` could bring it. */
  assertImportable(id: string): Promise<void>;
  /** The vault of an id, if it is there. */
  vaultIdOf(id: string): Promise<string | undefined>;
  /** Fails unless the caller may do that with the key or secret. */
  checkObject(id: string, operation: "get" | "backup" | "restore", as: VaultCaller): Promise<void>;
  /** For a template's parameters: the vault's resource id, a secret's name and perhaps version. */
  templateSecret(vaultId: string, name: string, version: string | undefined): Promise<string>;
  /** Rotates what is due, removes what is past its time. Once an hour is enough. */
  maintain(): Promise<void>;
}

export interface KeyVaultsOptions {
  readonly database: Database;
  readonly secretBox: SecretBox;
  readonly vaultUrl: (name: string) => string;
}

export function openKeyVaults({ database, secretBox, vaultUrl }: KeyVaultsOptions): KeyVaults {
  const store: KeyStore = { database, secretBox };

  const find = async (name: string): Promise<Vault> => {
    const vault = await findVault(database.kysely, name);
    if (vault === undefined) throw keyErrors.VaultNotFound(`There is no key vault '${name}'.`);
    return vault;
  };
  const locate = async (id: string): Promise<{ vault: Vault; at: ObjectName; version: string | undefined }> => {
    const parsed = parseObjectId(id);
    const vault = await find(parsed.vault);
    return { vault, at: { vault: vault.name, kind: parsed.kind, name: parsed.name }, version: parsed.version };
  };
  const open = async (keyId: string, operation: KeyOperation, as: VaultCaller): ReturnType<typeof openKey> => {
    const { vault, at, version } = await locate(keyId);
    await checkRight(vault, as, "key", rights.key[operation], at.name);
    return openKey(store, at, version, operation);
  };

  const hasObject = async (id: string): Promise<boolean> => {
    const { vault: name, kind, name: object, version } = parseObjectId(id);
    const vault = await findVault(database.kysely, name);
    if (vault === undefined) return false;
    const at = { vault: vault.name, kind, name: object };
    const named = await findNamed(database.kysely, at);
    if (named === undefined || named.deletion !== undefined) return false;
    if (version === undefined) return true;
    return getVersion(database.kysely, at, version).then(
      () => true,
      () => false,
    );
  };

  return {
    store,
    vaultUrl,
    wrapKey: async (keyId, secret, algorithm, as) => {
      const { key, version } = await open(keyId, "wrapKey", as);
      return { keyId: withVersion(keyId, version.version), wrapped: encrypt(key, algorithm, secret) };
    },
    unwrapKey: async (keyId, wrapped, algorithm, as) =>
      decrypt((await open(keyId, "unwrapKey", as)).key, algorithm, wrapped),
    getSecret: async (secretId, as) => {
      const { vault, at, version } = await locate(secretId);
      await checkRight(vault, as, "secret", rights.secret.get, at.name);
      const { version: found, value } = await readSecret(store, at, version);
      return {
        secretId: withVersion(secretId, found.version),
        value,
        contentType: found.shown.contentType,
        tags: found.shown.tags,
      };
    },
    backUpObject: async (id, as) => {
      const { vault, at } = await locate(id);
      await checkRight(vault, as, at.kind, rights[at.kind].backup, at.name);
      return backUp(store, at);
    },
    restoreObject: async (vaultName, kind, backup, as) => {
      const vault = await find(vaultName);
      await checkRight(vault, as, kind, rights[kind].restore, undefined);
      const { name, version } = await restore(store, vault.name, kind, backup);
      return `${vaultUrl(vault.name)}/${kind}s/${name}/${version}`;
    },
    exportObject: async (id, as) => {
      const { vault, at, version } = await locate(id);
      await checkRight(vault, as, at.kind, rights[at.kind].backup, at.name);
      // The version that is named must be among what is exported.
      const meant = await getVersion(database.kysely, at, version);
      return { id: withVersion(id, meant.version), vaultId: vault.scope, content: await exportObject(store, at) };
    },
    importObject: async (vaultName, kind, content, as) => {
      const vault = await find(vaultName);
      await checkRight(vault, as, kind, rights[kind].restore, undefined);
      await importObject(store, vault.name, kind, content);
      return vault.scope;
    },
    hasObject,
    assertImportable: async (id) => {
      if (await hasObject(id)) return;
      await assertFree(database.kysely, (await locate(id)).at);
    },
    vaultIdOf: async (id) => (await findVault(database.kysely, parseObjectId(id).vault))?.scope,
    checkObject: async (id, operation, as) => {
      const { vault, at } = await locate(id);
      await checkRight(vault, as, at.kind, rights[at.kind][operation], at.name);
    },
    templateSecret: async (vaultId, name, version) => {
      const vault = await find(vaultId.split("/").at(-1) ?? "");
      if (vault.scope.toLowerCase() !== vaultId.toLowerCase())
        throw keyErrors.VaultNotFound(`There is no key vault '${vaultId}'.`);
      return (await readSecret(store, { vault: vault.name, kind: "secret", name }, version)).value;
    },
    maintain: async () => {
      await rotateDueKeys(store);
      await database.transaction(async (trx) => {
        for (const name of await purgeExpired(trx)) await purgeVault(trx, name);
      });
    },
  };
}

export interface ObjectId {
  readonly vault: string;
  readonly kind: ObjectKind;
  readonly name: string;
  readonly version: string | undefined;
}

/** Reads `https://{vault}.vault…/keys/{name}[/{version}]`, and the form with the vault in the path. */
export function parseObjectId(id: string): ObjectId {
  const url = URL.canParse(id) ? new URL(id) : undefined;
  const address = url === undefined ? undefined : vaultOf(url.host, url.pathname);
  const path = address?.inPath === true ? url?.pathname.replace(/^\/vaults\/[^/]+/i, "") : url?.pathname;
  const match = /^\/(keys|secrets)\/([0-9A-Za-z-]{1,127})(?:\/([0-9A-Fa-f]{1,64}))?\/?$/.exec(path ?? "");
  if (address === undefined || match?.[2] === undefined) {
    throw keyErrors.BadParameter(
      `'${id.slice(0, 200)}' is not the id of a key or secret. Write it as https://VAULT.vault.HOST/keys/NAME[/VERSION].`,
    );
  }
  return { vault: address.vault, kind: match[1] === "keys" ? "key" : "secret", name: match[2], version: match[3] };
}

function withVersion(id: string, version: string): string {
  const { version: known } = parseObjectId(id);
  return known === undefined ? `${id.replace(/\/$/, "")}/${version}` : id;
}
