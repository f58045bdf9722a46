// Two services on one PostgreSQL: what one finds the other knows, and when one dies the other goes on.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { postgresPrograms, startPostgres } from "../../src/db/testing/postgres.ts";
import { startFakeMonitor, type FakeMonitor } from "../../src/inventory/testing/fake-monitor.ts";
import { waitFor } from "../../src/lib/time.ts";
import { startTestService, type TestService } from "../support/service.ts";

const skip = postgresPrograms() === undefined ? "PostgreSQL is not installed" : false;

test("two services share hosts and machines, and the one that is left finds what comes", { skip }, async () => {
  const folders = ["one", "two", "sockets"].map((name) => mkdtempSync(join(tmpdir(), `holdfast-${name}-`)));
  const [one = "", two = "", sockets = ""] = folders;
  const monitors: FakeMonitor[] = [];
  const appear = async (number: number): Promise<void> => {
    const uuid = `22222222-2222-4222-8222-${String(number).padStart(12, "0")}`;
    monitors.push(await startFakeMonitor(sockets, `m${number}`, uuid));
  };
  const postgres = await startPostgres();
  try {
    const args = ["--database-url", await postgres.newDatabase()];
    await using first = await startTestService({ data: one, args, keepData: true });
    for (const part of ["keys", "admin.json"]) cpSync(join(one, part), join(two, part), { recursive: true });
    await using second = await startTestService({ data: two, args, keepData: true });
    const group = `/subscriptions/${first.admin.subscriptionId}/resourceGroups/lab`;
    const names = async (service: TestService): Promise<string[]> => {
      const path = `${group}/providers/Microsoft.Compute/virtualMachines?api-version=2024-11-01`;
      return (await service.call("GET", path)).json.value.map(({ name }: { name: string }) => name);
    };
    const untilSeen = (service: TestService, count: number, milliseconds: number): Promise<true> =>
      waitFor(
        `${count} machines`,
        async () => ((await names(service)).length === count ? true : undefined),
        milliseconds,
        200,
      );
    await first.call("PUT", `${group}?api-version=2021-04-01`, { body: { location: "local" } });
    const body = { location: "local", properties: { kind: "qemu", socketDirectory: sockets } };
    const host = `${group}/providers/Microsoft.Holdfast/hosts/rack?api-version=2026-01-01`;
    assert.equal((await first.call("PUT", host, { body })).status, 201);
    for (const number of [1, 2, 3]) await appear(number);
    await untilSeen(second, 3, 120_000);
    assert.deepEqual(await names(first), ["m1", "m2", "m3"]);
    await first.kill();
    await appear(4);
    // At worst the dead one's lease runs out first.
    await untilSeen(second, 4, 120_000);
  } finally {
    for (const monitor of monitors) await monitor[Symbol.asyncDispose]();
    await postgres.close();
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
});
