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
import { groupByPack, type FetchGroup, type LocatedBlob } from "../read/blob-reader.ts";
import { withFreshIndex, type Vault } from "../vault.ts";
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

interface Needed {
  readonly id: Buffer;
  /** Positions in the list of points. */
  readonly points: Set<number>;
}

export async function verify(openVault: Vault, options: VerifyOptions = {}): Promise<VerifyOutcome> {
  const { signal } = options;
  const vault = withFreshIndex(openVault);
  await vault.index.refresh(signal);
  const names = options.points ?? (await listPointNames(vault, "points", undefined, signal));
  const problems: string[][] = names.map(() => []);
  const needed = new Map<string, Needed>();
  const badPacks = new Map<string, string>();

  for (const [position, name] of names.entries()) {
    try {
      await gather(await readPoint(vault, name, "points", signal), position);
    } catch (error) {
      if (!isDamage(error) && !isErrorCode(error, "PointMissing")) throw error;
      problems[position]?.push(messageOf(error));
    }
  }
  await checkBlobs();
  await checkDirectories();
  const confirmed = await confirmBadPacks();
  return {
    pointsChecked: names.length,
    blobsChecked: needed.size,
    broken: names.flatMap((name, position) => {
      const found = problems[position] ?? [];
      return found.length === 0 ? [] : [{ name, problems: found }];
    }),
    badPacks: confirmed,
    indexProblems: vault.index.problems.map(({ message }) => message),
  };

  async function gather(point: Point, position: number): Promise<void> {
    for (const { blobs } of point.attachments) for (const blob of blobs) need(Buffer.from(blob, "hex"), position);
    for (const { root, level } of point.disks) {
      if (root !== undefined) await gatherNode(Buffer.from(root, "hex"), level, position);
    }
  }

  async function gatherNode(id: Buffer, level: number, position: number): Promise<void> {
    need(id, position);
    try {
      if (level === 0) {
        for (const extent of (await vault.maps.leaf(id, signal)).extents) need(extent.id, position);
        return;
      }
      for (const child of (await vault.maps.node(id, level, signal)).children.values()) {
        await gatherNode(child, level - 1, position);
      }
    } catch (error) {
      if (!isDamage(error)) throw error;
      problems[position]?.push(messageOf(error));
    }
  }

  function need(id: Buffer, position: number): void {
    const key = id.toString("latin1");
    const known = needed.get(key);
    if (known === undefined) needed.set(key, { id, points: new Set([position]) });
    else known.points.add(position);
  }

  async function checkBlobs(): Promise<void> {
    const located: LocatedBlob[] = [];
    for (const { id } of needed.values()) {
      const blob = vault.blobs.locateNow(id);
      if (blob === undefined) blame(id, `Blob ${id.toString("hex")} is in no pack that is there.`);
      else located.push(blob);
    }
    let blobs = 0;
    const groups = groupByPack(located, ({ shape }) => plainLength(shape));
    await eachInParallel(groups, vault.pool().size * 2, async (group) => {
      await checkGroup(group);
      blobs += group.blobs.length;
      options.onProgress?.({ blobs, totalBlobs: needed.size });
    });
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
    for (const position of needed.get(id.toString("latin1"))?.points ?? []) {
      const list = problems[position];
      if (list !== undefined && list.length < 20) list.push(message);
    }
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
