// The shipped scripts at a real MariaDB, which runs as its own user.

import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chownSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { waitFor } from "../../src/lib/time.ts";

const scripts = join(import.meta.dirname, "../../guest-files/scripts/mariadb");
let folder: string;
let options: string;
let server: ChildProcess;

function startServer(data: string, socket: string): ChildProcess {
  return spawn(
    "mariadbd",
    [
      ["--no-defaults", "--user=mysql", `--datadir=${data}`, `--socket=${socket}`, "--skip-networking"],
      [`--log-error=${data}.log`, `--pid-file=${data}.pid`, "--log-bin", "--server-id=1", "--skip-name-resolve"],
    ].flat(),
    { stdio: "ignore" },
  );
}

const sqlAt = (socket: string, statement: string): string =>
  execFileSync("mariadb", ["--no-defaults", `--socket=${socket}`, "-BN", "-e", statement], {
    encoding: "utf8",
    stdio: "pipe",
  }).trim();
const sql = (statement: string): string => sqlAt(join(folder, "socket"), statement);
const script = (name: "pre" | "post", ...args: string[]): { status: number | null; output: string } => {
  const { status, stdout, stderr } = spawnSync("sh", [join(scripts, name), ...args], { encoding: "utf8" });
  return { status, output: stdout + stderr };
};
const answers = (socket: string): Promise<string> =>
  waitFor(
    "MariaDB",
    () => {
      try {
        return sqlAt(socket, "SELECT 1");
      } catch {
        return undefined;
      }
    },
    120_000,
  );
/** A client of its own, which may have to wait for the lock. */
const insert = (value: number): ChildProcess =>
  spawn("mariadb", ["--no-defaults", `--socket=${folder}/socket`, "-e", `INSERT INTO t.rows VALUES (${value})`], {
    stdio: "ignore",
  });
const sessions = (): string =>
  sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND USER = 'root'");

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-mariadb-"));
  const id = (kind: string): number => Number(execFileSync("id", [kind, "mysql"]));
  chownSync(folder, id("-u"), id("-g"));
  const data = join(folder, "data");
  execFileSync("mariadb-install-db", ["--no-defaults", "--user=mysql", `--datadir=${data}`, "--skip-test-db"], {
    stdio: "pipe",
  });
  server = startServer(data, join(folder, "socket"));
  options = join(folder, "client.cnf");
  writeFileSync(options, `[client]\nsocket=${folder}/socket\n`);
  await answers(join(folder, "socket"));
  sql(
    "CREATE DATABASE t; CREATE TABLE t.rows (n INT PRIMARY KEY) ENGINE=InnoDB; CREATE TABLE t.aria (n INT) ENGINE=Aria",
  );
});
after(async () => {
  // Of a test that failed between the two.
  script("post");
  const exited = once(server, "exit");
  server.kill("SIGKILL");
  await exited;
  rmSync(folder, { recursive: true, force: true });
});

test("pre holds commits but no readers; post lets them go; a copy of the files in between has what was committed", async () => {
  sql("INSERT INTO t.rows VALUES (1); INSERT INTO t.aria VALUES (1)");
  const pre = script("pre", options);
  assert.equal(pre.status, 0, pre.output);
  assert.match(pre.output, /-bin\.\d+\t\d+.*\nheld\n/);
  const waiting = insert(2);
  const exited = once(waiting, "exit");
  await waitFor(
    "the commit that waits",
    () => (/backup lock/i.test(sql("SELECT STATE FROM information_schema.PROCESSLIST")) ? true : undefined),
    120_000,
  );
  assert.equal(sql("SELECT COUNT(*) FROM t.rows"), "1");
  const again = script("pre", options);
  assert.equal(again.status, 1);
  assert.match(again.output, /still open/);
  server.kill("SIGSTOP");
  cpSync(join(folder, "data"), join(folder, "copy"), { recursive: true, preserveTimestamps: true });
  server.kill("SIGCONT");
  assert.equal(waiting.exitCode, null);
  const post = script("post");
  assert.equal(post.status, 0, post.output);
  assert.deepEqual(await exited, [0, null]);
  assert.equal(sql("SELECT COUNT(*) FROM t.rows"), "2");
  assert.deepEqual(
    readdirSync("/run/holdfast").filter((name) => name.startsWith("session.mariadb")),
    [],
  );

  execFileSync("chown", ["-R", "mysql:mysql", join(folder, "copy")]);
  const socket = join(folder, "copy-socket");
  const copy = startServer(join(folder, "copy"), socket);
  const ended = once(copy, "exit");
  try {
    await answers(socket);
    assert.equal(sqlAt(socket, "SELECT GROUP_CONCAT(n) FROM t.rows"), "1");
    assert.match(
      sqlAt(socket, "CHECK TABLE t.rows, t.aria EXTENDED"),
      /^t\.rows\tcheck\tstatus\tOK\nt\.aria\tcheck\tstatus\tOK$/,
    );
    // The server kept nothing of Aria back, so there is nothing to be repaired.
    assert.doesNotMatch(readFileSync(join(folder, "copy.log"), "utf8"), /crashed|corrupt/i);
  } finally {
    copy.kill("SIGKILL");
    await ended;
  }
});

test("a session that was lost meanwhile makes post fail, and the database has let go", async () => {
  assert.equal(script("pre", options).status, 0);
  sql("SELECT ID INTO @id FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND USER = 'root'; KILL @id");
  sql("INSERT INTO t.rows VALUES (3)");
  const post = script("post");
  assert.equal(post.status, 1);
  assert.match(post.output, /ended before the snapshot/);
});

test("a server that is not there makes pre fail, with the client's reason", () => {
  writeFileSync(join(folder, "nowhere.cnf"), `[client]\nsocket=${folder}/nowhere\n`);
  const { status, output } = script("pre", join(folder, "nowhere.cnf"));
  assert.equal(status, 1);
  assert.match(output, /Can't connect to local server/);
});

test("others than MariaDB are held by a global read lock", async () => {
  mkdirSync(join(folder, "bin"));
  // A server that calls itself MySQL; all else is the real one.
  writeFileSync(
    join(folder, "bin/mariadb"),
    `#!/bin/sh\nread -r line\ncase $line in *VERSION*) echo 8.0.36 ;; *) { echo "$line"; cat; } | exec /usr/bin/mariadb "$@" ;; esac\n`,
    { mode: 0o755 },
  );
  const { status, stderr } = spawnSync("sh", [join(scripts, "pre"), options], {
    encoding: "utf8",
    env: { ...process.env, PATH: `${folder}/bin:${process.env["PATH"]}` },
  });
  assert.equal(status, 0, stderr);
  const waiting = insert(5);
  const exited = once(waiting, "exit");
  await waitFor(
    "the statement that waits",
    () => (/(?:read|backup) lock/i.test(sql("SELECT STATE FROM information_schema.PROCESSLIST")) ? true : undefined),
    120_000,
  );
  assert.equal(script("post").status, 0);
  assert.deepEqual(await exited, [0, null]);
  await waitFor("the session's end", () => (sessions() === "0" ? true : undefined), 120_000);
});

test("a statement that goes on for longer than ten seconds makes pre fail, and nobody waits on", async () => {
  const slow = spawn(
    "mariadb",
    ["--no-defaults", `--socket=${folder}/socket`, "-e", "LOCK TABLES t.aria WRITE; DO SLEEP(60)"],
    { stdio: "ignore" },
  );
  const exited = once(slow, "exit");
  await waitFor("the lock", () => (/SLEEP/.test(sql("SHOW PROCESSLIST")) ? true : undefined), 120_000);
  const pre = script("pre", options);
  assert.equal(pre.status, 1);
  assert.match(pre.output, /Lock wait timeout exceeded/);
  sql("INSERT INTO t.rows VALUES (4)");
  slow.kill("SIGKILL");
  await exited;
});
