// The shipped scripts at a real PostgreSQL. They become the database's user, so this needs root.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { waitFor } from "../../src/lib/time.ts";

const programs = "/usr/lib/postgresql/15/bin";
const canRun = process.getuid?.() === 0 && existsSync(programs);
const scripts = join(import.meta.dirname, "../../guest-files/scripts/postgresql");
let folder: string;

const asPostgres = (program: string, ...args: string[]): string =>
  execFileSync("runuser", ["-u", "postgres", "--", program, ...args], { encoding: "utf8", cwd: "/", stdio: "pipe" });
const sql = (statement: string): string =>
  asPostgres("psql", "-XAtq", "-h", folder, "-d", "postgres", "-c", statement).trim();
const script = (name: "pre" | "post", ...args: string[]): { status: number | null; output: string } => {
  const { status, stdout, stderr } = spawnSync("sh", [join(scripts, name), ...args], { encoding: "utf8" });
  return { status, output: stdout + stderr };
};
/** Sessions that are in the middle of a base backup. */
const held = (): string =>
  sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%held%' AND pid <> pg_backend_pid()");

before(() => {
  if (!canRun) return;
  folder = mkdtempSync(join(tmpdir(), "holdfast-postgresql-"));
  const { uid, gid } = {
    uid: Number(execFileSync("id", ["-u", "postgres"])),
    gid: Number(execFileSync("id", ["-g", "postgres"])),
  };
  chownSync(folder, uid, gid);
  asPostgres(`${programs}/initdb`, "-D", `${folder}/data`, "-A", "trust");
  const options = `-c listen_addresses= -c unix_socket_directories=${folder}`;
  asPostgres(`${programs}/pg_ctl`, "-D", `${folder}/data`, "-w", "-s", "-l", `${folder}/log`, "-o", options, "start");
});
after(() => {
  if (!canRun) return;
  asPostgres(`${programs}/pg_ctl`, "-D", `${folder}/data`, "-m", "immediate", "-s", "stop");
  rmSync(folder, { recursive: true, force: true });
});

test("pre leaves a backup under way after a checkpoint, post ends it", { skip: !canRun }, () => {
  const before = sql("SELECT checkpoint_lsn FROM pg_control_checkpoint()");
  sql("CREATE TABLE t AS SELECT 1");
  const pre = script("pre", `host=${folder}`);
  assert.equal(pre.status, 0, pre.output);
  assert.match(pre.output, /started at [0-9A-F]+\/[0-9A-F]+\nrestore point holdfast-\d{8}T\d{6}Z at/);
  assert.notEqual(sql("SELECT checkpoint_lsn FROM pg_control_checkpoint()"), before);
  assert.equal(held(), "1");
  const again = script("pre", `host=${folder}`);
  assert.equal(again.status, 1);
  assert.match(again.output, /still open/);
  const post = script("post");
  assert.equal(post.status, 0, post.output);
  assert.match(post.output, /stopped at/);
  assert.equal(held(), "0");
  assert.deepEqual(
    readdirSync("/run/holdfast").filter((name) => name.startsWith("session.postgresql")),
    [],
  );
});

test("a session that was lost meanwhile makes post fail", { skip: !canRun }, async () => {
  assert.equal(script("pre", `host=${folder}`).status, 0);
  sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%held%' AND pid <> pg_backend_pid()");
  await waitFor("the session's end", () => (held() === "0" ? true : undefined), 120_000);
  const post = script("post");
  assert.equal(post.status, 1);
  assert.match(post.output, /ended before the snapshot/);
});

test("a server that is not there makes pre fail, with psql's reason", { skip: !canRun }, () => {
  const { status, output } = script("pre", "host=/nowhere");
  assert.equal(status, 1);
  assert.match(output, /No such file or directory/);
});
