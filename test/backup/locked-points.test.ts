// In a vault whose immutability is locked the store itself says until when a point stays: whoever reaches
// the control data, and writes there that it is over, does not make the clean-up delete it.

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { dataFolder } from "../../src/server/data-folder.ts";
import { startRig, type Rig } from "./rig.ts";

const day = 86_400_000;
let rig: Rig;
before(async () => {
  rig = await startRig({ machines: { vm1: 1 } });
});
after(() => rig?.[Symbol.asyncDispose]());

async function setImmutability(state: string): Promise<void> {
  const properties = { securitySettings: { immutabilitySettings: { state } } };
  const { status, text } = await rig.call("PATCH", rig.vaultId, { properties });
  assert.equal(status, 200, text);
}

async function backUp(): Promise<string> {
  const job = await rig.backUp("vm1", new Date(rig.now() + 60 * day).toISOString());
  assert.equal(job.properties.status, "Completed", JSON.stringify(job.properties));
  return (await rig.points("vm1"))[0]?.name ?? "";
}

test("a locked point outlives what the control data say of its end; one made before the lock does not", async () => {
  await setImmutability("Unlocked");
  await rig.protect("vm1");
  const free = await backUp();
  await setImmutability("Locked");
  const locked = await backUp();
  {
    using database = new DatabaseSync(dataFolder(rig.data).database, { timeout: 10_000 });
    const { changes } = database.prepare("UPDATE recovery_points SET expires_at = 1").run();
    assert.equal(changes, 2);
  }
  const newest = await backUp();
  assert.deepEqual(
    (await rig.points("vm1")).map(({ name }) => name),
    [newest, locked],
    `${free} is gone`,
  );
});
