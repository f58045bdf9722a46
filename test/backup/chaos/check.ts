// The full check after each round: what is listed is there and has the bytes that the machine had, each job
// has ended once, and nothing of ours is left where it does not belong.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { detailsOf } from "../../../src/backup/run/point-content.ts";
import { dataFolder } from "../../../src/server/data-folder.ts";
import { listPoints, verify, type Point } from "../../../src/store/index.ts";
import { restore } from "../../../src/store/testing/vaults.ts";
import type { WireJob, WirePoint } from "../rig.ts";
import { openTiers, slotsOf, type Tier } from "./tiers.ts";
import { sha256, type World } from "./world.ts";

const tierNames = ["InstantRP", "HardenedRP"];

export function checkJobs(jobs: readonly WireJob[], points: readonly WirePoint[], world: World): void {
  for (const { properties } of jobs)
    assert.ok(properties.status.startsWith("Completed"), JSON.stringify(properties, undefined, 1));
  const byJob = points.map(({ properties }) => properties.holdfast.jobId);
  assert.equal(new Set(byJob).size, byJob.length, "one point for one job");
  for (const { name, properties } of points) assert.equal(properties.holdfast.isBroken, false, name);
  const database = new DatabaseSync(dataFolder(world.data).database, { readOnly: true });
  const twice = database
    .prepare("select subject, count(*) as ends from events where type = 'job.ended' group by subject having ends <> 1")
    .all();
  database.close();
  assert.deepEqual(twice, [], "each job ends once");
}

/** `contents`: what the disks held, by the names of points; `number` chooses which point is compared beside the newest. */
export async function checkTiers(
  world: World,
  points: readonly WirePoint[],
  contents: ReadonlyMap<string, readonly string[]>,
  number: number,
): Promise<void> {
  const tiers = await openTiers(world);
  try {
    for (const [index, tier] of tiers.entries()) {
      const listed = points.filter(({ properties }) =>
        properties.recoveryPointTierDetails.some(({ type }) => type === tierNames[index]),
      );
      await checkTier(tier, listed, contents, number);
    }
  } finally {
    for (const tier of tiers) await tier[Symbol.asyncDispose]();
  }
  assert.deepEqual(
    readdirSync(world.machine).filter((name) => !name.startsWith("disk")),
    [],
    "the machine's folder",
  );
  assert.deepEqual(readdirSync(world.restores), [], "the folder of the restores");
}

async function checkTier(
  tier: Tier,
  listed: readonly WirePoint[],
  contents: ReadonlyMap<string, readonly string[]>,
  number: number,
): Promise<void> {
  const { vault, folder } = tier;
  const { points, problems } = await listPoints(vault);
  assert.deepEqual(problems, [], folder);
  const stored = new Map(points.map((point) => [detailsOf(point)?.id ?? "", point]));
  for (const { name } of listed) assert.ok(stored.has(name), `${name} is listed and not in ${folder}`);
  assert.deepEqual((await verify(vault, { quarantine: false })).broken, [], folder);
  const chosen = [listed[0], listed[(number * 5) % Math.max(1, listed.length)]];
  for (const point of new Set(chosen)) {
    if (point === undefined) continue;
    const bytes = await contentOf(vault, stored.get(point.name) ?? assert.fail());
    assert.deepEqual(bytes, [...(contents.get(point.name) ?? [])].sort(), `${point.name} in ${folder}`);
  }
  assert.equal((await slotsOf(tier)).length, 1, `keys of ${folder}: ${(await slotsOf(tier)).join()}`);
  assert.deepEqual(readdirSync(join(folder, ".holdfast", "tmp")), [], folder);
}

async function contentOf(vault: Tier["vault"], point: Point): Promise<string[]> {
  const found: string[] = [];
  for (const { name } of point.disks) found.push(sha256(await restore(vault, point, name)));
  return found.sort();
}
