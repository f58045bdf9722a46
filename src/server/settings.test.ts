import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { HoldfastError } from "../lib/errors.ts";
import { readSettings } from "./settings.ts";

test("without anything the defaults hold", async () => {
  const settings = await readSettings({}, {});
  assert.equal(settings.data, resolve(".holdfast"));
  assert.equal(settings.listen, "127.0.0.1:8443");
  assert.equal(settings.limits.bodyBytes, 4_194_304);
});

test("a flag wins over a variable, a variable over the file; the file has comments", async () => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-settings-"));
  try {
    const config = join(folder, "holdfast.json");
    await writeFile(config, '{ // site\n "siteName": "attic", "listen": "127.0.0.1:1", limits: { burst: 50, } }');
    const settings = await readSettings(
      { config, listen: "127.0.0.1:3" },
      { HOLDFAST_LISTEN: "127.0.0.1:2", HOLDFAST_LIMITS_BODY_BYTES: "70000" },
    );
    assert.equal(settings.siteName, "attic");
    assert.equal(settings.listen, "127.0.0.1:3");
    assert.equal(settings.limits.burst, 50);
    assert.equal(settings.limits.bodyBytes, 70_000);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("every mistake is listed, by name and value, and a secret is not shown", async () => {
  const wrong = readSettings(
    { listen: "nowhere", databaseUrl: "mysql://root:hunter2@host/db" },
    { HOLDFAST_LOG_LEVEL: "loud", HOLDFAST_LIMITS_BURST: "many", HOLDFAST_TYPO: "1" },
  );
  await assert.rejects(wrong, (error) => {
    assert.ok(error instanceof HoldfastError);
    const text = error.details.map((detail) => detail.message).join("\n");
    assert.match(text, /HOLDFAST_TYPO: is no setting/);
    assert.match(text, /listen: must be HOST:PORT.*"nowhere"/);
    assert.match(text, /databaseUrl: must begin with postgresql/);
    assert.match(text, /logLevel/);
    assert.match(text, /limits\.burst/);
    assert.doesNotMatch(text, /hunter2/);
    return true;
  });
});

test("the test clock is refused unless it is allowed", async () => {
  await assert.rejects(
    readSettings({ testClock: "/tmp/x" }, {}),
    (error) => error instanceof HoldfastError && /HOLDFAST_ALLOW_TEST_CLOCK=1/.test(error.details[0]?.message ?? ""),
  );
  assert.equal((await readSettings({ testClock: "/tmp/x" }, { HOLDFAST_ALLOW_TEST_CLOCK: "1" })).testClock, "/tmp/x");
});
