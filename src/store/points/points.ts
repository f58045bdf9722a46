// Recovery points: what is listed can be restored. Deletion moves a point aside; collections remove
// it for good after the window, so that a mistake can be undone.

import { isErrorCode } from "../../lib/errors.ts";
import { isoTime } from "../../lib/clock.ts";
import { storeErrors } from "../errors.ts";
import { isPointName, itemSegment, prefixes, type PointName } from "../format/object-names.ts";
import { openPointDocument, type PointDisk, type PointDocument } from "../format/point.ts";
import type { Vault } from "../vault.ts";
import { isDamage } from "../damage.ts";
import { serviceTime } from "../service-time.ts";

export interface Point extends PointDocument {
  readonly name: PointName;
}

export interface PointProblem {
  readonly name: string;
  readonly message: string;
}

export interface PointListing {
  /** By item, then by time. */
  readonly points: readonly Point[];
  /** Points that do not open. */
  readonly problems: readonly PointProblem[];
  /** Points whose predecessor is not there: it was purged by a collection, or the store hides it. */
  readonly gaps: readonly PointProblem[];
}

export type PointFolder = "points" | "deleted";

export async function listPointNames(
  vault: Pick<Vault, "store">,
  folder: PointFolder,
  item?: string,
  signal?: AbortSignal,
): Promise<PointName[]> {
  const prefix = prefixes[folder] + (item === undefined ? "" : `${itemSegment(item)}/`);
  const names: PointName[] = [];
  for await (const { name } of vault.store.list(prefix, signal)) {
    const rest = name.slice(prefixes[folder].length);
    if (isPointName(rest)) names.push(rest);
  }
  return names;
}

export async function listPoints(vault: Vault, item?: string, signal?: AbortSignal): Promise<PointListing> {
  const points: Point[] = [];
  const problems: PointProblem[] = [];
  const deleted = new Set<string>(await listPointNames(vault, "deleted", item, signal));
  for (const name of await listPointNames(vault, "points", item, signal)) {
    try {
      points.push(await readPoint(vault, name, "points", signal));
    } catch (error) {
      if (isErrorCode(error, "PointMissing")) continue; // deleted at this moment
      if (!isDamage(error)) throw error;
      problems.push({ name, message: error instanceof Error ? error.message : String(error) });
    }
  }
  return { points, problems, gaps: findGaps(points, deleted) };
}

/** A point that another one names as its predecessor and that is neither here, nor deleted, nor older than all. */
function findGaps(points: readonly Point[], deleted: ReadonlySet<string>): PointProblem[] {
  const present = new Set<string>(points.map(({ name }) => name));
  const oldest = new Map<string, string>();
  for (const { item, name } of points) if (!oldest.has(item)) oldest.set(item, name);
  return points
    .filter(
      ({ item, previous }) =>
        previous !== undefined &&
        !present.has(previous) &&
        !deleted.has(previous) &&
        previous > (oldest.get(item) ?? previous),
    )
    .map(({ name, previous }) => ({
      name,
      message: `Point ${name} follows ${previous}, which is not there; it was purged, or the store hides it.`,
    }));
}

export async function readPoint(
  vault: Pick<Vault, "store" | "keys" | "learnEpochs">,
  name: PointName,
  folder: PointFolder = "points",
  signal?: AbortSignal,
): Promise<Point> {
  let sealed: Buffer;
  try {
    sealed = await vault.store.get(prefixes[folder] + name, { signal });
  } catch (cause) {
    if (!isErrorCode(cause, "ObjectMissing")) throw cause;
    throw storeErrors.PointMissing(`Point ${name} is not in ${vault.store.location}.`, { cause });
  }
  try {
    return { ...openPointDocument(vault.keys, name, sealed), name };
  } catch (error) {
    if (!isErrorCode(error, "EpochMissing")) throw error;
    await vault.learnEpochs(signal);
    return { ...openPointDocument(vault.keys, name, sealed), name };
  }
}

/** The newest point of an item; undefined when it has none that opens. */
export async function newestPoint(vault: Vault, item: string, signal?: AbortSignal): Promise<Point | undefined> {
  for (const name of (await listPointNames(vault, "points", item, signal)).reverse()) {
    try {
      return await readPoint(vault, name, "points", signal);
    } catch (error) {
      if (!isDamage(error) && !isErrorCode(error, "PointMissing")) throw error;
    }
  }
  return undefined;
}

export function diskOf(point: Point, disk: string): PointDisk {
  const found = point.disks.find(({ name }) => name === disk);
  if (found === undefined) {
    const names = point.disks.map(({ name }) => name).join(", ");
    throw storeErrors.DiskMissing(`Point ${point.name} has no disk ${disk}; it has: ${names === "" ? "none" : names}.`);
  }
  return found;
}

/** Soft deletion. A point that is locked stays, by our clock and by the store's. */
export async function deletePoint(vault: Vault, name: PointName, signal?: AbortSignal): Promise<void> {
  const { lockedUntil } = await readPoint(vault, name, "points", signal);
  if (lockedUntil !== undefined) {
    const now = Math.min(vault.clock.now(), await serviceTime(vault, signal));
    if (now < lockedUntil) throw storeErrors.PointLocked(`Point ${name} is locked until ${isoTime(lockedUntil)}.`);
  }
  await movePoint(vault, name, "points", "deleted", signal);
}

/** The new name is durable before the old one goes: a listing of both never misses the point. */
export async function movePoint(
  vault: Vault,
  name: PointName,
  from: PointFolder,
  to: PointFolder,
  signal?: AbortSignal,
): Promise<void> {
  const sealed = await vault.store.get(prefixes[from] + name, { signal });
  try {
    await vault.store.put(prefixes[to] + name, sealed, { onlyIfAbsent: true, signal });
  } catch (error) {
    if (!isErrorCode(error, "ObjectExists")) throw error;
  }
  await vault.store.delete(prefixes[from] + name, signal);
}
