// The service is killed in the middle of backups, restores, prunes and key changes. Started again it
// brings everything to its end, and whatever it lists can be read to the last byte.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { checkJobs, checkTiers } from "./chaos/check.ts";
import { rounds, type Scene } from "./chaos/rounds.ts";
import { collectAll, openTiers } from "./chaos/tiers.ts";
import { jobsOf, makeWorld, pointsOf, settled, type World } from "./chaos/world.ts";
import { listPoints } from "../../src/store/index.ts";
import type { TestService } from "../support/service.ts";

const isLong = process.env["HOLDFAST_TEST_LONG"] === "1";
const count = isLong ? 200 : 4;
const seed = 20_261_121;
const kinds = Object.keys(rounds);

/** The same numbers for the same seed. */
function randomFrom(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

test(`${count} kills at fault points: what was under way ends once, and every point is whole`, async (context) => {
  const random = randomFrom(seed);
  const met = new Map<string, number>();
  const contents = new Map<string, readonly string[]>();
  await using world = await makeWorld();
  {
    await using service = await world.start();
    await settled(world, service);
  }
  for (let number = 0; number < count; number += 1) {
    const kind = kinds[number % kinds.length] ?? "";
    const round = rounds[kind] ?? assert.fail(kind);
    const fault = round.faults[Math.floor(random() * round.faults.length)] ?? "";
    const scene: Scene = { number, contents };
    try {
      await round.prepare(world);
      if (await dies(world, fault, (service) => round.begin(world, service, scene)))
        met.set(fault, (met.get(fault) ?? 0) + 1);
      await using service = await world.start();
      await settled(world, service);
      await round.finish?.(world, service, scene);
      // What is due at the new time may begin a moment after the start.
      const jobs = await settled(world, service);
      const points = await pointsOf(world, service);
      for (const { name } of points) if (!contents.has(name)) contents.set(name, world.contents());
      await service.stop();
      checkJobs(jobs, points, world);
      await checkTiers(world, points, contents, number);
    } catch (cause) {
      throw new Error(`round ${number}, ${kind}, killed at ${fault}`, { cause });
    }
  }
  await nothingIsLeft(world);
  context.diagnostic(`killed at ${[...met].map(([fault, times]) => `${fault} ${times}`).join(", ")}`);
  assert.ok([...met.values()].reduce((sum, times) => sum + times, 0) >= count / 2, "the faults were met");
});

/** Whether the fault was met. The service is dead afterwards in any case. */
async function dies(world: World, fault: string, begin: (service: TestService) => Promise<void>): Promise<boolean> {
  let service: TestService;
  try {
    service = await world.start(`${fault}=kill@1`);
  } catch {
    // Something that was due met the fault before the service was ready.
    return true;
  }
  const isDead = (): boolean => service.process.exitCode !== null || service.process.signalCode !== null;
  try {
    await begin(service);
  } catch (error) {
    // It died under the request; anything else is a failure.
    const exited = new Promise<void>((resolve) => service.process.once("exit", () => resolve()));
    if (!isDead()) await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, 2000))]);
    if (!isDead()) throw error;
  }
  if (isDead()) return true;
  await service.kill();
  return false;
}

/** When all is collected the tiers hold what is listed, and nothing of writers that died. */
async function nothingIsLeft(world: World): Promise<void> {
  world.advance(26 * 3600);
  let listed: readonly (readonly [string, readonly string[]])[];
  {
    await using service = await world.start();
    await settled(world, service);
    await settled(world, service);
    const jobs = await jobsOf(world, service);
    const points = await pointsOf(world, service);
    checkJobs(jobs, points, world);
    listed = points.map(({ name, properties }) => [name, properties.recoveryPointTierDetails.map(({ type }) => type)]);
  }
  for (const [index, tier] of (await openTiers(world)).entries()) {
    await using opened = tier;
    await collectAll(opened);
    const left: string[] = [];
    for await (const { name } of opened.vault.store.list("")) left.push(name);
    assert.deepEqual(
      left.filter((name) => /^(?:sessions|deleted|quarantine)\//.test(name) || name.endsWith(".doomed")),
      [],
    );
    const { points } = await listPoints(opened.vault);
    const wanted = listed.filter(([, tiers]) => tiers.includes(index === 0 ? "InstantRP" : "HardenedRP"));
    assert.equal(points.length, wanted.length, opened.folder);
    await opened.vault.index.refresh();
    assert.deepEqual([[...opened.vault.index.lost], opened.vault.index.problems], [[], []]);
  }
  assert.deepEqual(readdirSync(world.restores), []);
}
