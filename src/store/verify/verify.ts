// Deep verification: every blob that a point needs is opened and compared with its id. What is bad is
// quarantined, so the next backup stores it again, and the points that need it are named.

import { listPointNames, readPoint, type Point } from "../points/points.ts";
import type { PointName } from "../format/object-names.ts";
import { isErrorCode } from "../../lib/errors.ts";
import { packName } from "../format/object-names.ts";
import { readPackDirectory } from "../index/pack-directory.ts";
import { plainLength } from "../format/pack.ts";
import { eachInParallel } from "../../lib/parallel.ts";
import { isDamage } from "../damage.ts";
import { groupByPack, type FetchGroup } from "../read/blob-reader.ts";
import { withFreshIndex, type Vault } from "../vault.ts";
import { problemsOfPoints } from "./broken-points.ts";
import { neededBlobs } from "./needed-blobs.ts";
import { quarantinePack } from "./quarantine.ts";
import { checkObject } from "./scrub.ts";

export interface VerifyProgress {
  readonly blobs: number;
  readonly totalBlobs: number;
}

export interface VerifyOptions {
  /** Only these points; all that are listed when absent. */
  readonly points?: readonly PointName[];
  /** Write quarantine records for packs that are bad; true when absent. */
  readonly quarantine?: boolean;
  readonly onProgress?: (progress: VerifyProgress) => void;
  readonly signal?: AbortSignal;
}

export interface BrokenPoint {
  readonly name: string;
  readonly problems: readonly string[];
}

export interface VerifyOutcome {
  readonly pointsChecked: number;
  readonly blobsChecked: number;
  /** Points that cannot be restored whole. */
  readonly broken: readonly BrokenPoint[];
  readonly badPacks: readonly string[];
  readonly indexProblems: readonly string[];
}

export async function verify(openVault: Vault, options: VerifyOptions = {}): Promise<VerifyOutcome> {
  const { signal } = options;
  const vault = withFreshIndex(openVault);
  await vault.index.refresh(signal);
  const names = options.points ?? (await listPointNames(vault, "points", undefined, signal));
  const unreadable = new Map<PointName, string>();
  const badBlobs = new Map<string, string[]>();
  const badPacks = new Map<string, string>();
  const needed = neededBlobs(vault, blame, signal);

  for (const name of names) await withPoint(name, (point) => needed.add(point));
  await checkBlobs();
  await checkDirectories();
  const broken = await brokenPoints();
  const confirmed = await confirmBadPacks();
  return {
    pointsChecked: names.length,
    blobsChecked: needed.count,
    broken,
    badPacks: confirmed,
    indexProblems: vault.index.problems.map(({ message }) => message),
  };

  async function withPoint(name: PointName, use: (point: Point) => Promise<void>): Promise<void> {
    try {
      await use(await readPoint(vault, name, "points", signal));
    } catch (error) {
      if (!isDamage(error) && !isErrorCode(error, "PointMissing")) throw error;
      unreadable.set(name, messageOf(error));
    }
  }

  async function brokenPoints(): Promise<BrokenPoint[]> {
    const broken: BrokenPoint[] = [];
    const problemsOf = problemsOfPoints(vault, badBlobs, signal);
    for (const name of names) {
      const problems: string[] = [];
      if (badBlobs.size > 0 && !unreadable.has(name)) {
        await withPoint(name, async (point) => void problems.push(...(await problemsOf(point))));
      }
      const why = unreadable.get(name);
      if (why !== undefined) problems.push(why);
      if (problems.length > 0) broken.push({ name, problems });
    }
    return broken;
  }

  async function checkBlobs(): Promise<void> {
    let blobs = 0;
    for (const located of needed.located()) {
      const groups = groupByPack(located, ({ shape }) => plainLength(shape));
      await eachInParallel(groups, vault.pool().size * 2, async (group) => {
        await checkGroup(group);
        blobs += group.blobs.length;
        options.onProgress?.({ blobs, totalBlobs: needed.count });
      });
    }
  }

  /** Without its header and directory a pack is lost when the index is. */
  async function checkDirectories(): Promise<void> {
    await eachInParallel(vault.index.present(), 8, async ([hash, size]) => {
      try {
        await readPackDirectory(vault.store, vault.keys, hash, size, signal);
      } catch (error) {
        if (!isDamage(error)) throw error;
        badPacks.set(hash, messageOf(error));
      }
    });
  }

  async function checkGroup(group: FetchGroup): Promise<void> {
    const hash = vault.index.pack(group.pack)?.hash ?? "";
    try {
      const range = await vault.blobs.fetch(group, 0, signal);
      const { failures } = await vault.pool().run({ type: "open", range, checkIds: true }, [range.stored]);
      for (const { blob, message } of failures) {
        badPacks.set(hash, message);
        const bad = group.blobs[blob];
        if (bad !== undefined) blame(bad.id, message);
      }
    } catch (error) {
      if (!isDamage(error)) throw error;
      badPacks.set(hash, messageOf(error));
      for (const { id } of group.blobs) blame(id, messageOf(error));
    }
  }

  function blame(id: Buffer, message: string): void {
    const key = id.toString("latin1");
    const known = badBlobs.get(key);
    if (known === undefined) badBlobs.set(key, [message]);
    else known.push(message);
  }

  /** A read that failed once is no proof: only what still differs from its name is quarantined. */
  async function confirmBadPacks(): Promise<string[]> {
    const confirmed: string[] = [];
    for (const { object } of vault.index.problems) {
      const hash = /^pack ([0-9a-f]{64})$/.exec(object)?.[1];
      if (hash !== undefined) badPacks.set(hash, "Its directory cannot be read.");
    }
    for (const [hash, message] of badPacks) {
      if ((await checkObject(vault.store, packName(hash), hash, signal)) === undefined) continue;
      confirmed.push(hash);
      if (options.quarantine !== false) await quarantinePack(vault, hash, message, signal);
    }
    if (confirmed.length > 0) await openVault.index.refresh(signal);
    return confirmed;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
