// One point into another place of the same vault, as tiers do. Only packs with a blob that the target
// lacks are sent, whole and unchanged. It is a session of the target like a backup: a collection there
// neither takes what the copy relies on, nor is it held up by one that died.

import { faultPoint } from "../../lib/faults.ts";
import { randomBytes } from "../../lib/random.ts";
import { storeErrors } from "../errors.ts";
import { contentName } from "../format/content-name.ts";
import type { IndexedPackEntries } from "../format/index-object.ts";
import { packName, prefixes, type PointName } from "../format/object-names.ts";
import { packStates } from "../index/blob-table.ts";
import { readPackDirectory } from "../index/pack-directory.ts";
import { listPointNames, readPoint } from "../points/points.ts";
import type { Vault } from "../vault.ts";
import { commitPoint } from "./commit-point.ts";
import { finishOthers } from "./finish-committed.ts";
import { missingBlobs } from "./missing-blobs.ts";
import { putIndex } from "./put-index.ts";
import { putOnce } from "./put-once.ts";
import { keepBeating, removeSession, writeOpen } from "./session-records.ts";

export interface CopyPointOptions {
  /** The copy cannot be deleted before that time. */
  readonly lockedUntil?: number;
  readonly onProgress?: (progress: { readonly bytes: number; readonly totalBytes: number }) => void;
  readonly signal?: AbortSignal;
}

export interface CopiedPoint {
  readonly packs: number;
  readonly bytes: number;
}

const packsPerIndex = 64;

/** Does nothing for a point that the target lists. */
export async function copyPoint(
  from: Vault,
  to: Vault,
  name: PointName,
  options: CopyPointOptions = {},
): Promise<CopiedPoint> {
  const { signal } = options;
  if (from.config.vaultId !== to.config.vaultId) {
    throw storeErrors.VaultExists(`${to.store.location} holds another vault than ${from.store.location}.`);
  }
  await to.learnEpochs(signal);
  const point = await readPoint(from, name, "points", signal);
  const older = (await listPointNames(to, "points", point.item, signal)).filter((other) => other < name).at(-1);
  const session = randomBytes(8).toString("hex");
  await writeOpen(to.store, to.keys, session, older === undefined ? [] : [older], to.clock.now(), signal);
  using _beat = keepBeating(to, session);
  try {
    // An earlier copy may have died between its decision and its point.
    await finishOthers(to, session, signal);
    if ((await to.store.head(prefixes.points + name, signal)) !== undefined) return { packs: 0, bytes: 0 };
    await Promise.all([from.index.refresh(signal), to.index.refresh(signal)]);
    const packs = packsWith(from, to, await missingBlobs(from, to, point, older, signal));
    const copied = await copyPacks(from, to, packs, options);
    faultPoint("store.before-end");
    const { name: _name, ...document } = point;
    const lockedUntil = options.lockedUntil ?? point.lockedUntil;
    await commitPoint(to, session, { ...document, session, parent: older, previous: older, lockedUntil }, signal);
    return copied;
  } finally {
    await removeSession(to.store, session).catch(() => {});
  }
}

interface WantedPack {
  readonly hash: string;
  readonly size: number;
}

function packsWith(from: Vault, to: Vault, blobs: readonly Buffer[]): WantedPack[] {
  const packs = new Map<string, WantedPack>();
  for (const id of blobs) {
    const location = from.index.find(id);
    const pack = location === undefined ? undefined : from.index.pack(location.pack);
    if (pack === undefined) {
      throw storeErrors.BlobMissing(`Blob ${id.toString("hex", 0, 8)} is in no pack of ${from.store.location}.`);
    }
    const there = to.index.packNumber(pack.hash);
    if (there !== undefined && to.index.table.packState(there) === packStates.readOnly) {
      throw storeErrors.CollectionBusy(
        `Pack ${pack.hash.slice(0, 16)} is being taken out of ${to.store.location}: it was found bad, or unused.`,
        { remedy: "Copy again when a collection or a repair of the target has ended." },
      );
    }
    packs.set(pack.hash, pack);
  }
  return [...packs.values()];
}

/** One at a time: whoever copies shares the machine with those who back up. */
async function copyPacks(
  from: Vault,
  to: Vault,
  packs: readonly WantedPack[],
  { lockedUntil, onProgress, signal }: CopyPointOptions,
): Promise<CopiedPoint> {
  const totalBytes = packs.reduce((sum, { size }) => sum + size, 0);
  let bytes = 0;
  let unindexed: IndexedPackEntries[] = [];
  for (const [number, { hash, size }] of packs.entries()) {
    signal?.throwIfAborted();
    const content = await from.store.get(packName(hash), { signal });
    if (contentName(content) !== hash) {
      throw storeErrors.ObjectDamaged(`Pack ${hash.slice(0, 16)} in ${from.store.location} is not what its name says.`);
    }
    await putOnce(to.store, packName(hash), content, hash, { lockedUntil, signal });
    faultPoint("store.after-pack");
    unindexed.push(await readPackDirectory(from.store, from.keys, hash, size, signal));
    bytes += size;
    onProgress?.({ bytes, totalBytes });
    if (unindexed.length < packsPerIndex && number + 1 < packs.length) continue;
    await putIndex(to, [], unindexed, { lockedUntil, signal });
    faultPoint("store.after-index");
    unindexed = [];
  }
  // What was sent counts from now on.
  await to.index.refresh(signal);
  return { packs: packs.length, bytes };
}
