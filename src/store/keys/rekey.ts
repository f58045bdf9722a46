// Changing who can open a vault, and beginning a new key epoch. Data is never rewritten.

import { randomBytes } from "../../lib/random.ts";
import type { ObjectStore } from "../backends/object-store.ts";
import { storeErrors } from "../errors.ts";
import {
  decodeConfig,
  encodeConfig,
  makeSlot,
  unlock,
  wrapEpochKey,
  type KeySlot,
  type VaultConfig,
} from "./config.ts";
import { configName } from "../format/object-names.ts";
import { configNumbers, readConfig, writeConfig } from "./config-store.ts";
import { keyFromBytes, type KeyProvider } from "./kek.ts";
import { printRecoveryKey } from "./recovery.ts";

export interface ConfigChange {
  /** Slots by name: a provider adds or replaces, undefined removes. */
  readonly slots?: Readonly<Record<string, KeyProvider | undefined>>;
  /** New packs use a new key from now on. */
  readonly newEpoch?: boolean;
}

/** `opener`: a key that opens the vault now. Vaults that are open keep their keys until they are opened again. */
export async function rekey(
  store: ObjectStore,
  opener: KeyProvider,
  change: ConfigChange,
  signal?: AbortSignal,
): Promise<VaultConfig> {
  const { number, config } = await readConfig(store, signal);
  const { vaultKey } = await unlock(config, opener);
  const vaultId = Buffer.from(config.vaultId, "hex");
  const { mac: _, ...fields } = config;
  const epochs = [...fields.epochs];
  if (change.newEpoch === true) {
    const epoch = Math.max(...epochs.map((known) => known.number)) + 1;
    epochs.push({ number: epoch, key: wrapEpochKey(vaultKey, vaultId, epoch, randomBytes(32)) });
  }
  const slots = new Map<string, KeySlot>(fields.slots.map((slot) => [slot.name, slot]));
  for (const [name, provider] of Object.entries(change.slots ?? {})) {
    if (provider !== undefined) slots.set(name, await makeSlot(vaultId, vaultKey, name, provider));
    else if (!slots.delete(name)) {
      throw storeErrors.KeySlotMissing(
        `Vault ${config.vaultId} has no key ${name}; it has: ${[...slots.keys()].join(", ")}.`,
      );
    }
  }
  if (slots.size === 0)
    throw storeErrors.LastKeySlot(`Without its last key nobody could open vault ${config.vaultId}.`);
  await writeConfig(
    store,
    number + 1,
    encodeConfig(vaultKey, { ...fields, slots: [...slots.values()], epochs }),
    signal,
  );
  return (await readConfig(store, signal)).config;
}

/** A new recovery key in the slot `recovery`; the text is shown once and stored nowhere. */
export async function addRecoveryKey(store: ObjectStore, opener: KeyProvider, signal?: AbortSignal): Promise<string> {
  const key = randomBytes(32);
  await rekey(store, opener, { slots: { recovery: keyFromBytes(key, "recovery") } }, signal);
  return printRecoveryKey(key);
}

/** What a vault says of its keys to somebody without one. */
export async function describeVault(store: ObjectStore, signal?: AbortSignal): Promise<VaultDescription> {
  const { config } = await readConfig(store, signal);
  return {
    vaultId: config.vaultId,
    format: config.format,
    createdAt: config.createdAt,
    nameHash: config.nameHash,
    packTarget: config.packTarget,
    epochs: config.epochs.map(({ number }) => number),
    slots: config.slots.map(({ name, kind, keyId }) => ({ name, kind, keyId })),
  };
}

export interface VaultDescription extends Pick<
  VaultConfig,
  "vaultId" | "format" | "createdAt" | "nameHash" | "packTarget"
> {
  readonly epochs: readonly number[];
  readonly slots: readonly Pick<KeySlot, "name" | "kind" | "keyId">[];
}

/** The config object as it is: with it and a key, packs can be read even when the vault lost its own. */
export async function exportConfig(store: ObjectStore, signal?: AbortSignal): Promise<Buffer> {
  const { number } = await readConfig(store, signal);
  return store.get(configName(number), { signal });
}

/** Puts an exported config back where the vault has none that can be read. */
export async function importConfig(
  store: ObjectStore,
  exported: Uint8Array,
  opener: KeyProvider,
  signal?: AbortSignal,
): Promise<VaultConfig> {
  const config = decodeConfig(exported, "The exported config");
  await unlock(config, opener);
  const newest = Math.max(0, ...(await configNumbers(store, signal)));
  await writeConfig(store, newest + 1, exported, signal);
  return config;
}
