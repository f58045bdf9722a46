// kill -9 at any moment: what was acknowledged is there, what is there is whole, and the next process
// starts at once.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { sql } from "kysely";
import { holdDataFolder } from "../../src/db/data-folder.ts";
import { openDatabase, type Database } from "../../src/db/database.ts";
import { postgresPrograms, startPostgres } from "../../src/db/testing/postgres.ts";
import { readEvents } from "../../src/events/read.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { chooseMoment, runAndKill } from "./kill.ts";

const rounds = process.env["HOLDFAST_TEST_LONG"] === "1" ? 200 : 20;
const seed = Number(process.env["HOLDFAST_TEST_SEED"] ?? 20_261_121);
const writer = fileURLToPath(new URL("database-writer.ts", import.meta.url));

const killWriter = (place: string, round: number, random: () => number, strike?: () => Promise<void>) =>
  runAndKill({ program: process.execPath, args: [writer, place, String(round)] }, chooseMoment(random), strike);

/** Returns how many writes there are. */
async function assertWhole(database: Database, acknowledged: ReadonlySet<string>): Promise<number> {
  const resources = await database.kysely.selectFrom("resources").select("name").orderBy("name").execute();
  const messages = await database.kysely.selectFrom("outbox").select("dedup_key").orderBy("dedup_key").execute();
  const events: string[] = [];
  for (let position = 0; ;) {
    const page = await readEvents(database, position, 5_000);
    if (page.position === position) break;
    events.push(...page.events.map(({ subject }) => subject));
    position = page.position;
  }
  const names = resources.map(({ name }) => name);
  assert.deepEqual(
    messages.map(({ dedup_key }) => dedup_key),
    names,
    "a resource and its message are there together",
  );
  assert.deepEqual(events.sort(), names, "a resource and its event are there together");
  const there = new Set(names);
  const lost = [...acknowledged].filter((name) => !there.has(name));
  assert.deepEqual(lost, [], "acknowledged and lost");
  return names.length;
}

test(`SQLite: ${rounds} kills lose nothing that was acknowledged and leave nothing half (seed ${seed})`, async () => {
  const random = seededRandom(seed);
  const folder = await mkdtemp(join(tmpdir(), "holdfast-crash-"));
  const acknowledged = new Set<string>();
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (const name of await killWriter(folder, round, random)) acknowledged.add(name);
      await using _hold = await holdDataFolder(folder, systemClock);
      await using database = await openDatabase({ file: join(folder, "control.sqlite"), clock: systemClock });
      await assertWhole(database, acknowledged);
      const { rows } = await sql<{ integrity_check: string }>`pragma integrity_check`.execute(database.kysely);
      assert.deepEqual(rows, [{ integrity_check: "ok" }]);
    }
    assert.ok(acknowledged.size > rounds, `only ${acknowledged.size} writes were tried`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

const skip = postgresPrograms() === undefined ? "PostgreSQL is not installed" : false;
test(
  `PostgreSQL: ${rounds} kills, some of the server under the writer, lose nothing (seed ${seed})`,
  { skip },
  async () => {
    const random = seededRandom(seed + 1);
    await using server = await startPostgres({ durable: true });
    const url = await server.newDatabase();
    const acknowledged = new Set<string>();
    for (let round = 0; round < rounds; round += 1) {
      const strike = random() < 0.2 ? server.crashAndRestart : undefined;
      for (const name of await killWriter(url, round, random, strike)) acknowledged.add(name);
      await using database = await openDatabase({ url, clock: systemClock });
      await assertWhole(database, acknowledged);
    }
    assert.ok(acknowledged.size > rounds, `only ${acknowledged.size} writes were tried`);
  },
);
