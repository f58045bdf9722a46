import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

/** What the log's own process writes to its standard error. */
function logged(...entries: object[]): string {
  const program = `
    import { createLog } from ${JSON.stringify(join(import.meta.dirname, "log.ts"))};
    const log = createLog("info");
    for (const entry of JSON.parse(process.argv[1])) log.info(entry, "told");
  `;
  const args = ["--input-type=module", "--eval", program, JSON.stringify(entries)];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return stderr;
}

const names = ["authorization", "password", "client_secret", "clientSecret", "access_token", "refresh_token"];
const more = ["accessToken", "token", "secret", "key", "passphrase", "protectedSettings", "cookie"];

test("what could be a secret is cut out by its name, wherever it stands in what is logged", () => {
  const secrets = Object.fromEntries([...names, ...more].map((name) => [name, "hidden"]));
  const text = logged(secrets, { headers: secrets, shown: "a" }, { request: { headers: secrets, shown: "b" } });
  assert.doesNotMatch(text, /hidden/);
  assert.match(text, /"shown":"a"[^]*"shown":"b"/);
  const told = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    told.map(({ msg }) => msg),
    ["told", "told", "told"],
  );
  assert.equal(told[0]?.["password"], "(not logged)");
});
