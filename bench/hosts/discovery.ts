// How long the first look at a host of 1,000 running machines takes, until every one is a row in the
// control data; and a second look, at which nothing has changed. The goal is 3 s for the first.
//   node bench/hosts/discovery.ts [COUNT] [ROUNDS]

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { putResource } from "../../src/arm/resources/resource-store.ts";
import { openDatabase } from "../../src/db/database.ts";
import { openInventory } from "../../src/inventory/inventory.ts";
import { systemClock } from "../../src/lib/clock.ts";

const [count = "1000", rounds = "3"] = process.argv.slice(2);
const subscriptionId = "11111111-1111-4111-8111-111111111111";
const folder = mkdtempSync(join(tmpdir(), "holdfast-bench-hosts-"));
const monitors = spawn(process.execPath, [join(import.meta.dirname, "monitors.ts"), folder, count], {
  stdio: ["ignore", "pipe", "inherit"],
});
try {
  await once(monitors.stdout, "data");
  for (let round = 0; round < Number(rounds); round += 1) {
    const control = mkdtempSync(join(tmpdir(), "holdfast-bench-control-"));
    try {
      await using database = await openDatabase({ file: join(control, "control.sqlite"), clock: systemClock });
      await database.transaction((trx) =>
        putResource(
          trx,
          { id: `/subscriptions/${subscriptionId}/resourceGroups/lab`, location: "local", properties: {} },
          { caller: { name: "bench", principalType: "User" }, clock: systemClock },
        ),
      );
      await using inventory = openInventory({ database, holder: "bench", report: console.error });
      const startedAt = performance.now();
      const host = await inventory.addHost({
        subscriptionId,
        resourceGroup: "lab",
        name: "rack",
        location: "local",
        settings: { kind: "qemu", socketDirectory: folder },
      });
      const first = performance.now() - startedAt;
      const machines = (await inventory.listMachines()).length;
      const againAt = performance.now();
      await inventory.refresh(host.hostId);
      const second = performance.now() - againAt;
      const list = performance.now();
      await inventory.listMachines();
      console.log(
        JSON.stringify({
          machines,
          firstLookMilliseconds: Math.round(first),
          secondLookMilliseconds: Math.round(second),
          listMilliseconds: Math.round(performance.now() - list),
        }),
      );
    } finally {
      rmSync(control, { recursive: true, force: true });
    }
  }
} finally {
  monitors.kill();
  rmSync(folder, { recursive: true, force: true });
}
