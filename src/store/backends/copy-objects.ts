// Copies a vault's objects from one store to another: how a vault moves between tiers. Everything is
// immutable, so what is there already is not sent again and a copy that was interrupted goes on
// where it stopped.
//
// The order is that of writing (config, packs, index, what is kept beside, points), but the points to copy are chosen
// before the packs are listed: every pack that a chosen point needs was durable before the point, so
// it is in the list. A point is copied only when all packs of the plan have arrived.

import { createHash } from "node:crypto";
import { isErrorCode } from "../../lib/errors.ts";
import { contentName, sha256InName } from "../format/content-name.ts";
import { hashOfName, prefixes } from "../format/object-names.ts";
import { eachInParallel } from "../../lib/parallel.ts";
import { objectErrors } from "./errors.ts";
import type { ObjectInfo, ObjectStore } from "./object-store.ts";

/** In the order in which they are written. */
const stages = ["config", "packs", "index", "kept", "points"] as const;
type Stage = (typeof stages)[number];

export interface CopyPlan {
  readonly missing: Readonly<Record<Stage, readonly ObjectInfo[]>>;
  /** Objects that the target has already. */
  readonly present: number;
  readonly objects: number;
  readonly bytes: number;
}

export interface CopyProgress {
  readonly stage: Stage;
  readonly objects: number;
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface CopyOptions {
  /** Objects on their way at once; each is held in memory. */
  readonly parallel?: number;
  /** Read each pack and index object back from the target and compare. */
  readonly readBack?: boolean;
  readonly onProgress?: (progress: CopyProgress) => void;
  readonly signal?: AbortSignal;
}

export interface CopyResult {
  readonly copied: number;
  readonly bytes: number;
  /** Objects that the source deleted between plan and copy. */
  readonly vanished: readonly string[];
}

export async function planCopy(from: ObjectStore, to: ObjectStore, signal?: AbortSignal): Promise<CopyPlan> {
  await refuseWhileDeleting(to, signal);
  const listed = new Map<Stage, ObjectInfo[]>();
  for (const stage of [...stages].reverse()) listed.set(stage, await collectInfos(from, prefixes[stage], signal));
  const missing: Record<Stage, ObjectInfo[]> = { config: [], packs: [], index: [], kept: [], points: [] };
  let present = 0;
  for (const stage of stages) {
    const there = new Map((await collectInfos(to, prefixes[stage], signal)).map((info) => [info.name, info.size]));
    for (const info of listed.get(stage) ?? []) {
      const size = there.get(info.name);
      if (size === undefined) missing[stage].push(info);
      else if (size === info.size) present += 1;
      else throw differs(info.name, from, to, `${info.size} bytes here and ${size} there`);
    }
    if (stage === "config") await compareConfigs(from, to, listed.get(stage) ?? [], there, signal);
  }
  const all = stages.flatMap((stage) => missing[stage]);
  return { missing, present, objects: all.length, bytes: all.reduce((sum, info) => sum + info.size, 0) };
}

export async function copyObjects(
  from: ObjectStore,
  to: ObjectStore,
  plan: CopyPlan,
  options: CopyOptions = {},
): Promise<CopyResult> {
  const { signal } = options;
  const vanished: string[] = [];
  let copied = 0;
  let bytes = 0;
  for (const stage of stages) {
    // A collector that began to delete in the target meanwhile may have taken a pack that was there.
    if (stage === "points") {
      await refuseWhileDeleting(to, signal);
      const pack = vanished.find((name) => name.startsWith(prefixes.packs));
      // What it held may be in packs that were written since, and that the plan does not know.
      if (pack !== undefined) {
        throw objectErrors.StoreFailed(`${pack} was taken out of ${from.location} while the vault was copied.`, {
          remedy: "Copy again: what arrived already is kept.",
        });
      }
    }
    await eachInParallel(plan.missing[stage], options.parallel ?? 3, async (info) => {
      signal?.throwIfAborted();
      const size = await copyOne(from, to, info, options);
      if (size === undefined) vanished.push(info.name);
      else {
        copied += 1;
        bytes += size;
      }
      options.onProgress?.({ stage, objects: copied, bytes, totalBytes: plan.bytes });
    });
    if (stage === "config") {
      if (vanished.length > 0) {
        throw objectErrors.StoreFailed(`The keys of the vault in ${from.location} changed while it was copied.`, {
          remedy: "Copy again.",
        });
      }
      await removeOldConfigs(from, to, signal);
    }
  }
  return { copied, bytes, vanished };
}

/** The size of what was copied, or undefined when the source no longer has it. */
async function copyOne(
  from: ObjectStore,
  to: ObjectStore,
  { name, size }: ObjectInfo,
  { readBack, signal }: CopyOptions,
): Promise<number | undefined> {
  let content: Buffer;
  try {
    content = await from.get(name, { signal });
  } catch (error) {
    if (isErrorCode(error, "ObjectMissing")) return undefined;
    throw error;
  }
  const hash = content.length === size ? rightName(name, content) : undefined;
  if (hash === undefined) throw notAsNamed(name, from);
  const sha256 = sha256InName(content, hash) ?? createHash("sha256").update(content).digest();
  try {
    await to.put(name, content, { onlyIfAbsent: true, sha256, signal });
  } catch (error) {
    if (!isErrorCode(error, "ObjectExists")) throw error;
    // Another copier was faster; or another vault is there.
    if (!(await to.get(name, { signal })).equals(content)) throw differs(name, from, to, "other bytes");
  }
  if (readBack === true && rightName(name, await to.get(name, { signal })) === undefined) throw notAsNamed(name, to);
  return content.length;
}

/** The name that the content asks for; undefined where the object has another that ought to be that. */
function rightName(name: string, content: Uint8Array): string | undefined {
  const isNamedByContent = name.startsWith(prefixes.packs) || name.startsWith(prefixes.index);
  const hash = contentName(content);
  return isNamedByContent && hashOfName(name) !== hash ? undefined : hash;
}

function notAsNamed(name: string, place: ObjectStore): Error {
  return objectErrors.ObjectCorrupted(`${name} in ${place.location} does not hold what its name says.`, {
    remedy: "Run `holdfast store scrub` there, repair it, and copy again: what arrived already is kept.",
  });
}

/** The target is empty or an older state of the same vault: the vault's id stands in the first bytes. */
async function compareConfigs(
  from: ObjectStore,
  to: ObjectStore,
  configs: readonly ObjectInfo[],
  there: ReadonlyMap<string, number>,
  signal?: AbortSignal,
): Promise<void> {
  const newest = configs.at(-1)?.name;
  if (newest === undefined) {
    throw objectErrors.StoreMissing(`${from.location} holds no vault: there is no config/ object.`);
  }
  const reached = [...there.keys()].sort().at(-1);
  if (reached === undefined) return;
  if (reached > newest) throw differs(reached, from, to, "the target is newer, or another vault");
  const [ours, theirs] = [await from.get(newest, { signal }), await to.get(reached, { signal })];
  const isSame = reached === newest ? ours.equals(theirs) : headOf(ours).equals(headOf(theirs));
  if (!isSame) throw differs(reached, from, to, "it belongs to another vault");
}

const headOf = (config: Buffer): Buffer => config.subarray(0, 18);

/** A key that was taken away must not open the copy either. */
async function removeOldConfigs(from: ObjectStore, to: ObjectStore, signal?: AbortSignal): Promise<void> {
  const current = new Set((await collectInfos(from, prefixes.config, signal)).map(({ name }) => name));
  const newest = [...current].sort().at(-1) ?? "";
  for (const { name } of await collectInfos(to, prefixes.config, signal)) {
    if (!current.has(name) && name < newest) await to.delete(name, signal);
  }
}

async function refuseWhileDeleting(to: ObjectStore, signal?: AbortSignal): Promise<void> {
  for await (const { name } of to.list(prefixes.collect, signal)) {
    if (!name.endsWith(".doomed")) continue;
    throw objectErrors.StoreRefused(`${to.location} is in the middle of a collection (${name}).`, {
      remedy: "Run `holdfast store collect` there to its end, and copy again.",
    });
  }
}

function differs(name: string, from: ObjectStore, to: ObjectStore, how: string): Error {
  return objectErrors.ObjectExists(`${name} differs between ${from.location} and ${to.location}: ${how}.`, {
    remedy: "Choose an empty target, or a copy of the same vault.",
  });
}

async function collectInfos(store: ObjectStore, prefix: string, signal?: AbortSignal): Promise<ObjectInfo[]> {
  const infos: ObjectInfo[] = [];
  for await (const info of store.list(prefix, signal)) infos.push(info);
  return infos;
}
