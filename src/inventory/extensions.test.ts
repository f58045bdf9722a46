import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { openDatabase, type Database } from "../db/database.ts";
import { describeEachDialect } from "../db/testing/each-dialect.ts";
import { systemClock } from "../lib/clock.ts";
import { randomBytes } from "../lib/random.ts";
import { secretBox, secretBoxKeyLength } from "../lib/secret-box.ts";
import {
  findExtension,
  listExtensions,
  listExtensionsOf,
  putExtension,
  readProtectedSettings,
  removeExtension,
  writeExtensionStatus,
  type ExtensionDraft,
  type InstanceStatus,
} from "./extensions.ts";

const machine = "/subscriptions/s/resourceGroups/lab/providers/Microsoft.Compute/virtualMachines/Web";
const id = `${machine}/extensions/VMSnapshotLinux`;
const draft: ExtensionDraft = {
  id,
  location: "local",
  properties: { publisher: "Microsoft.Azure.RecoveryServices", type: "VMSnapshotLinux", settings: { locale: "en-us" } },
  protectedSettings: { logsBlobUri: "https://secret" },
};
const by = { caller: { name: "test", principalType: "User" as const }, clock: systemClock };

describeEachDialect("extensions of machines", ({ newPlace }) => {
  let database: Database;
  const box = secretBox(randomBytes(secretBoxKeyLength));
  const put = (change: Partial<ExtensionDraft> = {}): Promise<unknown> =>
    database.transaction((trx) => putExtension(trx, box, { ...draft, ...change }, by));

  beforeEach(async () => {
    database = await openDatabase({ ...(await newPlace()), clock: systemClock });
  });
  afterEach(() => database.close());

  test("protected settings are sealed in the database and come back for the guest alone", async () => {
    await put();
    const row = await database.kysely.selectFrom("resources").selectAll().executeTakeFirstOrThrow();
    assert.ok(!JSON.stringify(row).includes("secret"));
    assert.deepEqual(await readProtectedSettings(database.kysely, box, id), { logsBlobUri: "https://secret" });
    const other = secretBox(randomBytes(secretBoxKeyLength));
    await assert.rejects(readProtectedSettings(database.kysely, other, id), { name: "SecretUnreadable" });
  });

  test("each change of the settings has a number of its own; what is left out is taken away unless it is kept", async () => {
    await put();
    await put({ protectedSettings: "keep" });
    assert.deepEqual(await readProtectedSettings(database.kysely, box, id), { logsBlobUri: "https://secret" });
    await put({ protectedSettings: undefined });
    assert.equal(await readProtectedSettings(database.kysely, box, id), undefined);
    const found = await findExtension(database.kysely, id.toUpperCase());
    assert.deepEqual([found?.sequence, found?.hasProtectedSettings], [2, false]);
  });

  test("what the guest reports is kept over changes, bounded, and an error makes the extension failed", async () => {
    await put();
    const status = (level: InstanceStatus["level"], message = ""): InstanceStatus => ({
      code: "ProvisioningState/x",
      level,
      displayStatus: "x",
      message,
    });
    const report = (statuses: InstanceStatus[]): Promise<void> =>
      database.transaction((trx) =>
        writeExtensionStatus(trx, id, { statuses, substatuses: [], typeHandlerVersion: "1.0.2" }),
      );
    await report(Array.from({ length: 1_000 }, () => status("Info", "y".repeat(1_000_000))));
    const flooded = await findExtension(database.kysely, id);
    assert.ok(JSON.stringify(flooded?.status).length < 2 * 1024 * 1024);
    await report([status("Error", "frozen too long")]);
    await put({ protectedSettings: "keep" });
    const [found] = await listExtensions(database.kysely, machine);
    assert.equal(found?.status.statuses[0]?.message, "frozen too long");
    assert.equal(found?.status.typeHandlerVersion, "1.0.2");
    await report([status("Error")]);
    assert.equal((await findExtension(database.kysely, id))?.resource.provisioningState, "Failed");
    await assert.rejects(
      database.transaction((trx) =>
        writeExtensionStatus(trx, `${machine}/extensions/none`, { statuses: [], substatuses: [] }),
      ),
      { name: "ExtensionUnknown" },
    );
  });

  test("extensions are found by their machine, whatever its case, and removed once", async () => {
    await put();
    const found = await listExtensionsOf(database.kysely, [machine.toLowerCase(), "/subscriptions/s/none"]);
    assert.deepEqual([...found.keys()], [machine.toLowerCase()]);
    assert.equal(await database.transaction((trx) => removeExtension(trx, id)), true);
    assert.equal(await database.transaction((trx) => removeExtension(trx, id)), false);
  });
});
