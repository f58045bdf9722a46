// The service dies while it makes a restore point. The next one on the same folder goes on: there is one
// restore point, it is whole, and the store holds no second one of it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { waitFor } from "../../src/lib/time.ts";
import { holdfast, startTestService, type TestService } from "../support/service.ts";
import { startDiskRig, type DiskRig } from "./support.ts";

let rig: DiskRig;
before(async () => {
  rig = await startDiskRig();
  const source = { id: rig.compute("virtualMachines/web") };
  await rig.ask("PUT", rig.compute("restorePointCollections/points"), 201, {
    location: "local",
    properties: { source },
  });
  await rig.service.stop();
});
after(() => rig[Symbol.asyncDispose]());

const version = "api-version=2024-03-02";
const pointPath = (name: string): string =>
  rig.compute(`restorePointCollections/points/restorePoints/${name}?${version}`);

function restart(faults: string): Promise<TestService> {
  return startTestService({ data: rig.service.data, keepData: true, env: { HOLDFAST_FAULTS: faults } });
}

/** As the offline tool lists them, with the platform's key alone. */
async function pointsInStore(): Promise<number> {
  const folder = join(rig.service.data, "collections");
  const [guid = ""] = readdirSync(folder);
  const key = join(rig.service.data, "keys", "platform.key");
  const args = ["store", "points", "--store", join(folder, guid), "--key", key, "--json"];
  const { stdout } = await promisify(execFile)(holdfast, args);
  const { points, problems } = JSON.parse(stdout) as { points: unknown[]; problems: unknown[] };
  assert.deepEqual(problems, []);
  return points.length;
}

for (const [number, arrow] of ["capture.snapshot-open", "capture.before-point", "capture.after-point"].entries()) {
  test(`killed at ${arrow}`, async () => {
    {
      await using dying = await restart(`${arrow}=kill`);
      const asked = await dying.call("PUT", pointPath(`point-${number}`), { body: {} }).catch(() => undefined);
      assert.ok(asked === undefined || asked.status === 201);
      if (dying.process.signalCode === null) await once(dying.process, "exit");
      assert.equal(dying.process.signalCode, "SIGKILL");
    }
    await using service = await restart("");
    const point = await waitFor(
      "the restore point",
      async () => {
        const { json } = await service.call("GET", pointPath(`point-${number}`));
        return json.properties.provisioningState === "Creating" ? undefined : json;
      },
      120_000,
      200,
    );
    assert.equal(point.properties.provisioningState, "Succeeded");
    assert.equal(point.properties.sourceMetadata.storageProfile.dataDisks.length, 1);
    await service.stop();
    assert.equal(await pointsInStore(), number + 1);
  });
}
