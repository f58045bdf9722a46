// Runs a real service for a test: its own data folder, a free port, ended by pid.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { Agent, request } from "node:https";

export const projectRoot = resolve(import.meta.dirname, "../..");
export const holdfast = join(projectRoot, "holdfast");

export interface Admin {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly username: string;
  readonly password: string;
  readonly tenantId: string;
  readonly subscriptionId: string;
}

export interface TestService extends AsyncDisposable {
  readonly endpoint: string;
  readonly data: string;
  readonly ca: string;
  readonly pid: number;
  readonly admin: Admin;
  readonly process: ChildProcess;
  /** A request as the administrator, or with the given token ("" = none). */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  stop(): Promise<number | null>;
  kill(): Promise<void>;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly text?: string;
  readonly token?: string;
  readonly headers?: Record<string, string>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into freely by tests
  readonly json: any;
}

export interface ServiceOptions {
  readonly data?: string;
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
  /** Keep the folder when the test ends: the test goes on with it. */
  readonly keepData?: boolean;
}

export async function startTestService(options: ServiceOptions = {}): Promise<TestService> {
  const data = options.data ?? (await mkdtemp(join(tmpdir(), "holdfast-test-")));
  const child = spawn(holdfast, ["up", "--json", "--data", data, "--listen", "127.0.0.1:0", ...(options.args ?? [])], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, HOLDFAST_LOG_LEVEL: "warn", ...options.env },
  });
  const errors: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  const ready = await readyLine(child, errors);
  const { endpoint, ca, adminFile, pid } = JSON.parse(ready) as {
    endpoint: string;
    ca: string;
    adminFile: string;
    pid: number;
  };
  const admin = JSON.parse(await readFile(adminFile, "utf8")) as Admin;
  const authority = await readFile(ca);
  let token: string | undefined;
  const exited = once(child, "exit") as Promise<[number | null]>;

  const call = async (method: string, path: string, call: CallOptions = {}): Promise<Answer> => {
    const bearer = call.token ?? (token ??= await adminToken(endpoint, authority, admin));
    const body = call.text ?? (call.body === undefined ? undefined : JSON.stringify(call.body));
    return send(
      `${endpoint}${path}`,
      method,
      authority,
      {
        ...(bearer === "" ? {} : { Authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...call.headers,
      },
      body,
    );
  };
  const stop = async (): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    return (await exited)[0];
  };
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
  };
  return {
    endpoint,
    data,
    ca,
    pid,
    admin,
    process: child,
    call,
    stop,
    kill,
    [Symbol.asyncDispose]: async () => {
      await stop();
      if (options.keepData !== true) await rm(data, { recursive: true, force: true });
    },
  };
}

function readyLine(child: ChildProcess, errors: readonly Buffer[]): Promise<string> {
  return new Promise((found, failed) => {
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    lines.once("line", found);
    child.once("exit", (code) =>
      failed(new Error(`the service ended with ${code}: ${Buffer.concat(errors).toString("utf8")}`)),
    );
  });
}

async function adminToken(endpoint: string, authority: Buffer, admin: Admin): Promise<string> {
  const form = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: admin.clientId,
    client_secret: admin.clientSecret,
    scope: `${endpoint}/.default`,
  });
  const answer = await send(
    `${endpoint}/${admin.tenantId}/oauth2/v2.0/token`,
    "POST",
    authority,
    { "Content-Type": "application/x-www-form-urlencoded" },
    form.toString(),
  );
  return (JSON.parse(answer.text) as { access_token: string }).access_token;
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

export function send(
  url: string,
  method: string,
  authority: Buffer,
  headers: Record<string, string>,
  body?: string,
): Promise<Answer> {
  return new Promise((answered, failed) => {
    // The path goes out as it is written: a URL object would mend what a test means to be wrong.
    const [origin = "", host = ""] = /^https:\/\/([^/]+)/.exec(url) ?? [];
    const [hostname = "", port = "443"] = host.split(/:(?=\d+$)/);
    const target = { host: hostname, port, path: url.slice(origin.length), servername: hostname };
    const sent = request({ ...target, method, ca: authority, headers, agent }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        answered({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          text,
          get json() {
            return JSON.parse(text);
          },
        });
      });
      answer.on("error", failed);
    });
    sent.on("error", failed);
    sent.end(body);
  });
}
