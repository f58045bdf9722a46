// A real PostgreSQL for tests: Debian's programs, a cluster in a temporary folder, one unix socket.
// One cluster serves a test file; each test takes a database of its own.

import { execFile, spawn, type ChildProcess } from "node:child_process";
import { chmodSync, chownSync, globSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { newGuid } from "../../lib/random.ts";

export interface TestPostgres extends AsyncDisposable {
  /** Makes an empty database and returns its URL. */
  newDatabase(): Promise<string>;
  /** Kills the server like a power cut and starts it again on the same files. */
  crashAndRestart(): Promise<void>;
  close(): Promise<void>;
}

const runProgram = promisify(execFile);

export function postgresPrograms(): string | undefined {
  const found = globSync("/usr/lib/postgresql/*/bin/postgres").sort().at(-1);
  return found === undefined ? undefined : dirname(found);
}

/** `durable` keeps fsync on, for tests that crash the server itself. */
export async function startPostgres({ durable = false } = {}): Promise<TestPostgres> {
  const programs = postgresPrograms();
  if (programs === undefined) throw new Error("PostgreSQL is not installed (Debian package postgresql)");
  const account = await serverAccount();
  const folder = await mkdtemp(join(tmpdir(), "holdfast-pg-"));
  chmodSync(folder, 0o700);
  if (account !== undefined) chownSync(folder, account.uid, account.gid);
  const cluster = join(folder, "cluster");
  await runProgram(
    join(programs, "initdb"),
    ["-D", cluster, "-U", "holdfast", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
    { ...account, cwd: folder },
  );
  const launch = (): Promise<ChildProcess> =>
    startServer(join(programs, "postgres"), folder, cluster, account, durable);
  let server = await launch();
  const url = (name: string): string => `postgresql://holdfast@localhost/${name}?host=${encodeURIComponent(folder)}`;
  const close = async (): Promise<void> => {
    await stop(server, "SIGQUIT");
    await rm(folder, { recursive: true, force: true });
  };
  return {
    newDatabase: async () => {
      const name = `d${newGuid().replaceAll("-", "")}`;
      const client = new Client({ connectionString: url("postgres") });
      await client.connect();
      await client.query(`create database ${name}`);
      await client.end();
      return url(name);
    },
    crashAndRestart: async () => {
      await stop(server, "SIGQUIT");
      server = await launch();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root; Debian's package brings the account `postgres`. */
async function serverAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const [uid, gid] = await Promise.all([runProgram("id", ["-u", "postgres"]), runProgram("id", ["-g", "postgres"])]);
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

async function startServer(
  program: string,
  folder: string,
  cluster: string,
  account: Account | undefined,
  durable: boolean,
): Promise<ChildProcess> {
  const settings = {
    listen_addresses: "",
    unix_socket_directories: folder,
    max_connections: "60",
    shared_buffers: "32MB",
    log_min_messages: "fatal",
    fsync: durable ? "on" : "off",
    synchronous_commit: durable ? "on" : "off",
  };
  const server = spawn(
    program,
    ["-D", cluster, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
    { ...account, cwd: folder, stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  server.stderr?.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
  for (;;) {
    if (server.exitCode !== null) throw new Error(`PostgreSQL ended with ${server.exitCode}: ${said}`);
    const client = new Client({ host: folder, user: "holdfast", database: "postgres" });
    client.on("error", () => {});
    try {
      await client.connect();
      await client.end();
      return server;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }
}

async function stop(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const closed = new Promise((resolve) => server.once("close", resolve));
  server.kill(signal);
  await closed;
}
