// An open vault: its place, its keys, its index, and the threads that work for it. Everything else
// in this folder is a function of it.

import { createHmac } from "node:crypto";
import { monotonicMilliseconds, systemClock, type Clock } from "../lib/clock.ts";
import { randomBytes } from "../lib/random.ts";
import type { ObjectStore } from "./backends/object-store.ts";
import { storeErrors } from "./errors.ts";
import { formatVersion } from "./format/layout.ts";
import type { BlobTable } from "./index/blob-table.ts";
import type { IndexThreads } from "./index/index-objects.ts";
import { VaultIndex } from "./index/vault-index.ts";
import {
  encodeConfig,
  makeSlot,
  openConfig,
  unlock,
  wrapEpochKey,
  wrapIdKey,
  type VaultConfig,
} from "./keys/config.ts";
import { configNumbers, hasConfig, readConfig, writeConfig } from "./keys/config-store.ts";
import type { KeyProvider } from "./keys/kek.ts";
import { addEpochs, nameHashes, type NameHash, type VaultKeys } from "./keys/vault-keys.ts";
import { mapReader, type MapReader } from "./map/map-reader.ts";
import { WorkerPool } from "./pipeline/worker-pool.ts";
import { BlobReader, type BadPack } from "./read/blob-reader.ts";

export interface VaultOptions {
  readonly clock?: Clock;
  /** Threads; the number of cores, at most 8, when absent. */
  readonly workers?: number;
  /** A second copy of the vault, read where the first one is damaged. */
  readonly fallback?: ObjectStore;
}

export interface Vault extends AsyncDisposable {
  readonly store: ObjectStore;
  readonly fallback: ObjectStore | undefined;
  readonly config: VaultConfig;
  readonly keys: VaultKeys;
  /** What new packs are named by: SHA-256 where the store compares it with what arrives, else what is faster here. */
  readonly packHash: NameHash;
  readonly clock: Clock;
  readonly index: VaultIndex;
  readonly blobs: BlobReader;
  readonly maps: MapReader;
  /** Somebody may have begun a new key epoch since the vault was opened. */
  learnEpochs(signal?: AbortSignal): Promise<void>;
  /** Packs that did not open since the vault was opened. */
  readonly badPacks: ReadonlyMap<string, BadPack>;
  /** Aborted when the vault is closed, which ends the sessions that are still open. */
  readonly closed: AbortSignal;
  /** Started at first use. */
  pool(): WorkerPool;
}

export interface CreateVaultOptions {
  /** Name of the first key slot. */
  readonly slotName?: string;
  /** Size at which packs are closed; 16 MiB when absent. */
  readonly packTarget?: number;
  /** How blobs are named; what this machine computes faster when absent. */
  readonly nameHash?: NameHash;
  readonly clock?: Clock;
}

const defaultPackTarget = 16 * 1024 * 1024;

/** Makes a vault in an empty place. Fails with VaultExists when there is one. */
export async function createVault(
  store: ObjectStore,
  provider: KeyProvider,
  options: CreateVaultOptions = {},
  signal?: AbortSignal,
): Promise<VaultConfig> {
  if (await hasConfig(store, signal)) throw storeErrors.VaultExists(`There is a vault in ${store.location} already.`);
  const vaultId = randomBytes(16);
  const vaultKey = randomBytes(32);
  const fields = {
    format: formatVersion,
    vaultId: vaultId.toString("hex"),
    createdAt: (options.clock ?? systemClock).now(),
    packTarget: options.packTarget ?? defaultPackTarget,
    nameHash: options.nameHash ?? fasterNameHash(),
    slots: [await makeSlot(vaultId, vaultKey, options.slotName ?? "main", provider)],
    idKey: wrapIdKey(vaultKey, vaultId, randomBytes(32)),
    epochs: [{ number: 1, key: wrapEpochKey(vaultKey, vaultId, 1, randomBytes(32)) }],
  };
  await writeConfig(store, 1, encodeConfig(vaultKey, fields), signal);
  return (await readConfig(store, signal)).config;
}

/** Reads the config and unwraps the keys; the index is read when it is first needed. */
export async function openVault(
  store: ObjectStore,
  provider: KeyProvider,
  options: VaultOptions = {},
  signal?: AbortSignal,
): Promise<Vault> {
  const { number, config } = await readConfig(store, signal);
  const { keys, vaultKey } = await unlock(config, provider);
  let knownConfig = number;
  const badPacks = new Map<string, BadPack>();
  let pool: WorkerPool | undefined;
  const closing = new AbortController();
  const learnEpochs = async (learnSignal?: AbortSignal): Promise<void> => {
    const newest = Math.max(0, ...(await configNumbers(store, learnSignal)));
    if (newest <= knownConfig) return;
    const stored = await readConfig(store, learnSignal);
    addEpochs(keys, openConfig(stored.config, vaultKey).keys.epochs);
    knownConfig = stored.number;
    await pool?.runEverywhere({ type: "epochs", epochs: keys.epochs });
  };
  const packHash = store.supports.contentCheck ? "sha256" : keys.nameHash;
  const onTable = async (table: BlobTable): Promise<void> => {
    await pool?.tellEverybody({ type: "table", table: table.shared });
  };
  const openPool = (): WorkerPool => {
    closing.signal.throwIfAborted();
    pool ??= new WorkerPool(keys, index.table, { workers: options.workers, packTarget: config.packTarget, packHash });
    return pool;
  };
  const index: VaultIndex = new VaultIndex(store, keys, {
    beforeReading: learnEpochs,
    onTable,
    threads: indexThreads(openPool),
  });
  const stores = options.fallback === undefined ? [store] : [store, options.fallback];
  const blobs = new BlobReader(stores, index, keys, (bad) => void badPacks.set(bad.hash, bad));
  return {
    store,
    fallback: options.fallback,
    config,
    keys,
    packHash,
    clock: options.clock ?? systemClock,
    index,
    blobs,
    maps: mapReader(blobs),
    learnEpochs,
    badPacks,
    closed: closing.signal,
    pool: openPool,
    [Symbol.asyncDispose]: async () => {
      closing.abort(storeErrors.VaultClosed("The vault was closed."));
      await pool?.[Symbol.asyncDispose]();
    },
  };
}

/** The same vault with an index of its own, read from the store alone: nothing that is not durable is in it. */
export function withFreshIndex(vault: Vault): Vault {
  const index = new VaultIndex(vault.store, vault.keys, {
    beforeReading: vault.learnEpochs,
    onTable: () => Promise.resolve(),
    threads: indexThreads(vault.pool),
  });
  const stores = vault.fallback === undefined ? [vault.store] : [vault.store, vault.fallback];
  const blobs = new BlobReader(stores, index, vault.keys);
  return { ...vault, index, blobs, maps: mapReader(blobs) };
}

const indexThreads = (pool: () => WorkerPool): IndexThreads => ({
  open: (name, sealed) => pool().run({ type: "openIndex", name, sealed }, [sealed.buffer]),
  put: (table, packs) => pool().run({ type: "putIndex", table: table.shared, packs }, [packs.content.buffer]),
});

/**
 * SHA-256 where the processor has instructions for it, BLAKE2b where it has not. In turns and in pieces
 * that are done in a fraction of a millisecond: on a busy machine some of them are not interrupted.
 */
function fasterNameHash(): NameHash {
  const piece = Buffer.alloc(64 * 1024, 0x55);
  const best = { sha256: Infinity, blake2b512: Infinity };
  for (let round = 0; round < 32; round += 1) {
    for (const name of nameHashes) {
      const from = monotonicMilliseconds();
      createHmac(name, piece.subarray(0, 32)).update(piece).digest();
      best[name] = Math.min(best[name], monotonicMilliseconds() - from);
    }
  }
  return best.blake2b512 < best.sha256 * 0.9 ? "blake2b512" : "sha256";
}
