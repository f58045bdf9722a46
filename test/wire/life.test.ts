// The life of a service: a second one on its folder, its end, its return after kill -9.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { startPostgres } from "../../src/db/testing/postgres.ts";
import { holdfast, startTestService } from "../support/service.ts";

const execute = promisify(execFile);
const api = "api-version=2021-04-01";

async function fails(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; stderr: string }> {
  try {
    await execute(holdfast, [...args], { env: { ...process.env, ...env }, timeout: 120_000 });
  } catch (error) {
    return error as { code: number; stderr: string };
  }
  throw new Error(`holdfast ${args.join(" ")} did not fail`);
}

test("the ready line, the administrator's file, a second service, the end, and kill -9", async () => {
  const data = await mkdtemp(join(tmpdir(), "holdfast-life-"));
  try {
    await using first = await startTestService({ data, keepData: true });
    assert.equal((await stat(join(data, "admin.json"))).mode & 0o777, 0o600);
    assert.deepEqual(Object.keys(first.admin).sort(), [
      "clientId",
      "clientSecret",
      "password",
      "subscriptionId",
      "tenantId",
      "username",
    ]);
    assert.equal((await first.call("GET", "/readyz")).text, "ready\n");
    assert.match((await first.call("GET", "/metrics")).text, /holdfast_http_requests_total/);

    const second = await fails(["up", "--data", data, "--listen", "127.0.0.1:0"]);
    assert.equal(second.code, 6);
    assert.match(second.stderr, new RegExp(`held by process ${first.pid} `));

    await first.call("PUT", `/subscriptions/${first.admin.subscriptionId}/resourceGroups/kept?${api}`, {
      body: { location: "local" },
    });
    await first.kill();
    const gone = await fails(["token", "--data", data]);
    assert.equal(gone.code, 5);
    assert.match(gone.stderr, /No service runs on .* Start it with/);

    await using again = await startTestService({ data, keepData: true });
    assert.deepEqual(again.admin, first.admin);
    assert.equal(
      (await again.call("GET", `/subscriptions/${again.admin.subscriptionId}/resourceGroups/kept?${api}`)).status,
      200,
    );
    assert.equal(await again.stop(), 0);
    await assert.rejects(readFile(join(data, "run.json")));
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});

test("a wrong command line or configuration says so in one line and ends with 2", async () => {
  assert.equal((await fails(["up", "--listen", "nowhere"])).code, 2);
  assert.equal((await fails(["no-such-command"])).code, 2);
  const clock = await fails(["up", "--test-clock", "/tmp/none"]);
  assert.match(clock.stderr, /HOLDFAST_ALLOW_TEST_CLOCK=1/);
  const taken = await startTestService();
  try {
    const port = new URL(taken.endpoint).port;
    const data = await mkdtemp(join(tmpdir(), "holdfast-port-"));
    const answer = await fails(["up", "--data", data, "--listen", `127.0.0.1:${port}`]);
    assert.match(answer.stderr, /Something else listens on .* Choose another with --listen/);
    await rm(data, { recursive: true, force: true });
  } finally {
    await taken[Symbol.asyncDispose]();
  }
});

test("a backup of the control data fills an empty folder, and the same principals sign in", async () => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-restore-"));
  try {
    const [from, to, file] = [join(folder, "from"), join(folder, "to"), join(folder, "control.hfdb")];
    await using first = await startTestService({ data: from, keepData: true });
    await first.call("PUT", `/subscriptions/${first.admin.subscriptionId}/resourceGroups/kept?${api}`, {
      body: { location: "local" },
    });
    await execute(holdfast, ["db", "backup", file, "--data", from]);
    await first.stop();
    await execute("mkdir", ["-p", join(to, "keys")]);
    await execute("cp", [join(from, "keys/platform.key"), join(to, "keys/")]);
    await execute("cp", [join(from, "admin.json"), to]);
    const { stdout } = await execute(holdfast, ["db", "restore", file, "--data", to, "--json"]);
    assert.ok((JSON.parse(stdout) as { rows: number }).rows > 5);
    await using again = await startTestService({ data: to, keepData: true });
    assert.equal(
      (await again.call("GET", `/subscriptions/${again.admin.subscriptionId}/resourceGroups/kept?${api}`)).status,
      200,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("subscriptions of the configuration are served, and a lost admin.json is made anew", async () => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-life-"));
  try {
    const config = join(folder, "holdfast.json");
    const ids = ["0a000000-0000-4000-8000-000000000001", "0a000000-0000-4000-8000-000000000002"];
    const tenantId = "0b000000-0000-4000-8000-000000000001";
    const subscriptions = [
      { id: ids[0], name: "First" },
      { id: ids[1], name: "Second" },
    ];
    await writeFile(config, JSON.stringify({ tenantId, subscriptions }));
    const data = join(folder, "data");
    await using service = await startTestService({ data, keepData: true, args: ["--config", config] });
    assert.deepEqual([service.admin.tenantId, service.admin.subscriptionId], [tenantId, ids[0]]);
    const listed = await service.call("GET", "/subscriptions?api-version=2022-12-01");
    assert.deepEqual(
      listed.json.value.map(({ displayName }: { displayName: string }) => displayName),
      ["First", "Second"],
    );
    const group = await service.call("PUT", `/subscriptions/${ids[1]}/resourceGroups/there?${api}`, {
      body: { location: "local" },
    });
    assert.equal(group.status, 201);

    await rm(join(data, "admin.json"));
    await execute(holdfast, ["admin", "renew", "--data", data]);
    const { stdout } = await execute(holdfast, ["token", "--data", data]);
    const answer = await service.call("GET", `/subscriptions/${ids[1]}/resourceGroups/there?${api}`, {
      token: stdout.trim(),
    });
    assert.equal(answer.status, 200);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("a platform key that is lost, or another one, stops the start before anything is served or made anew", async () => {
  await using postgres = await startPostgres();
  const data = await mkdtemp(join(tmpdir(), "holdfast-life-"));
  const args = ["--database-url", await postgres.newDatabase()];
  try {
    await using first = await startTestService({ data, keepData: true, args });
    await first.stop();
    const key = join(data, "keys/platform.key");
    const up = ["up", "--data", data, "--listen", "127.0.0.1:0", ...args];
    await writeFile(key, Buffer.alloc(32, 7));
    assert.match((await fails(up)).stderr, /sealed secret does not open with this key.*key file/);
    await rm(key);
    assert.match((await fails(up)).stderr, /platform\.key is missing.*Restore the key/);
    await assert.rejects(stat(key), { code: "ENOENT" });
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});
