// All disks of a snapshot stand at one instant. A guest writes 1, 2, 3, … alternately to two disks,
// each write durable before the next; so at any instant the first holds what the second holds, or one
// more. The control takes the disks in two transactions and must break the rule, or the test is blind.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Host, SnapshotDisk, SnapshotSession } from "../../src/hosts/host.ts";
import { isLong } from "./long.ts";
import { deviceOf, newDisk, openDisk, startRig } from "./rig.ts";

const rounds = isLong ? 200 : 15;

async function counterOf(disk: SnapshotDisk | undefined): Promise<number> {
  assert.ok(disk !== undefined);
  await using client = await openDisk(disk);
  const block = Buffer.alloc(4096);
  await client.read(block, 1024 * 1024);
  return Number(block.readBigUInt64LE(0));
}

test("snapshots of two disks under write show one instant; taken one after the other they do not", async () => {
  const images = mkdtempSync(join(tmpdir(), "holdfast-counter-"));
  try {
    const extraDisks = [newDisk(images, "first", 4), newDisk(images, "second", 4)];
    await using rig = await startRig({ templates: ["sys"], extraDisks });
    await rig.shell(`setsid counter ${deviceOf("first")} ${deviceOf("second")} </dev/null >/dev/null 2>&1 &`);
    const take = (host: Host, disks: string[], point: string): Promise<SnapshotSession> =>
      host.snapshot(rig.machine.id, { consistency: "crash", chain: "test", point, disks });

    let last = 0;
    let progressed = 0;
    for (let round = 1; round <= rounds; round += 1) {
      await using session = await take(rig.host, ["first", "second"], `round-${round}`);
      const [first, second] = [await counterOf(session.disks[0]), await counterOf(session.disks[1])];
      assert.ok(first === second || first === second + 1, `round ${round}: the disks hold ${first} and ${second}`);
      assert.ok(first >= last);
      if (first > last) progressed += 1;
      last = first;
      // A snapshot does not move while the guest goes on.
      assert.equal(await counterOf(session.disks[0]), first);
    }
    assert.ok(progressed > rounds / 2, "the guest hardly wrote at all");

    let violations = 0;
    for (let round = 1; round <= 5; round += 1) {
      const counts: number[] = [];
      for (const name of ["first", "second"]) {
        await using session = await take(rig.host, [name], `control-${round}-${name}`);
        counts.push(await counterOf(session.disks[0]));
      }
      const [first = 0, second = 0] = counts;
      if (first !== second && first !== second + 1) violations += 1;
    }
    assert.ok(violations > 0, "two transactions must not look like one");
  } finally {
    rmSync(images, { recursive: true, force: true });
  }
});
