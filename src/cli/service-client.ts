// How a command talks to the service that runs on a data folder: over HTTPS, trusting its authority.

import { once } from "node:events";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { request } from "node:https";
import { z } from "zod";
import { defineErrors, HoldfastError } from "../lib/errors.ts";
import { disk } from "../lib/files.ts";
import { sleep } from "../lib/time.ts";
import { findService, readAdmin, type AdminCredentials, type RunningService } from "../server/data-folder.ts";

const clientErrors = defineErrors({
  RequestRefused: { status: 500 },
  ServiceNotRunning: { status: 503, remedy: "Start it with ./holdfast up, or name its folder with --data DIR." },
});

export interface ServiceClient {
  readonly service: RunningService;
  readonly admin: AdminCredentials;
  token(scope: string): Promise<string>;
  /** A request to Azure Resource Manager as the administrator; throws what it answers as an error. */
  arm(method: string, path: string, body?: unknown): Promise<unknown>;
  /** The same, and waits for the end of what the service does afterwards; gives its result. */
  armToEnd(method: string, path: string, body?: unknown): Promise<unknown>;
  /** What a path or a URL of the service answers, written to a new file. A URL carries its own right. */
  download(pathOrUrl: string, to: string): Promise<void>;
  /** A POST of JSON to the service as its administrator. */
  postJson(path: string, body: unknown): Promise<{ readonly status: number; readonly text: string }>;
}

export async function connectService(data: string): Promise<ServiceClient> {
  const service = await findService(data);
  const admin = await readAdmin(data);
  if (admin === undefined)
    throw clientErrors.RequestRefused(`${data} has no admin.json. Start the service again: it writes a new one.`);
  const authority = await disk.read(service.ca);
  const token = async (scope: string): Promise<string> => {
    const form = new URLSearchParams({
      grant_type: "client_credentials",
      client_id: admin.clientId,
      client_secret: admin.clientSecret,
      scope,
    });
    const answer = await post(`${service.endpoint}/${service.tenantId}/oauth2/v2.0/token`, form.toString(), authority);
    const body = JSON.parse(answer.text) as { access_token?: string; error_description?: string };
    if (body.access_token === undefined)
      throw clientErrors.RequestRefused(
        `The service gave no token: ${body.error_description ?? answer.text.slice(0, 300)}`,
      );
    return body.access_token;
  };
  const sendArm = async (method: string, url: string, body: unknown): Promise<Answer> => {
    const headers = {
      Authorization: `Bearer ${await token(`${service.endpoint}/.default`)}`,
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
    };
    return send(method, url, body === undefined ? "" : JSON.stringify(body), authority, headers);
  };
  return {
    service,
    admin,
    token,
    arm: async (method, path, body) => armAnswer(await sendArm(method, `${service.endpoint}${path}`, body)),
    armToEnd: async (method, path, body) => {
      const url = `${service.endpoint}${path}`;
      const first = await sendArm(method, url, body);
      return followOperation(first, method === "POST" ? undefined : url, (next) => sendArm("GET", next, undefined));
    },
    download: async (pathOrUrl, to) => {
      const isOwn = pathOrUrl.startsWith("/");
      const headers: Record<string, string> = {};
      if (isOwn) headers["Authorization"] = `Bearer ${await token(`${service.endpoint}/.default`)}`;
      await receive(isOwn ? `${service.endpoint}${pathOrUrl}` : pathOrUrl, authority, headers, to);
    },
    postJson: async (path, body) => {
      const headers = {
        "Content-Type": "application/json",
        Authorization: `Bearer ${await token(`${service.endpoint}/.default`)}`,
      };
      return post(`${service.endpoint}${path}`, JSON.stringify(body), authority, headers);
    },
  };
}

/** Longer than any single answer takes: a first look into a point's files starts a machine, slowly on a busy host. */
const answerMilliseconds = 300_000;

const form = { "Content-Type": "application/x-www-form-urlencoded" };

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
}

/** Streams an answer to a file. */
async function receive(
  url: string,
  authority: Buffer,
  headers: Readonly<Record<string, string>>,
  to: string,
): Promise<void> {
  const sent = request(url, { ca: authority, timeout: answerMilliseconds, headers });
  sent.on("timeout", () => sent.destroy(new Error(`no answer in ${answerMilliseconds / 1000} s`)));
  sent.end();
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  if (answer.statusCode !== 200) {
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    armAnswer({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") });
    throw clientErrors.RequestRefused(`The service answered ${answer.statusCode} where a file was expected.`);
  }
  await using file = await disk.open(to, "createNew");
  let position = 0;
  for await (const chunk of answer) {
    await file.write(chunk as Buffer, position);
    position += (chunk as Buffer).length;
  }
}

const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

const operationSchema = z.object({
  status: z.string(),
  error: z.object({ code: z.string(), message: z.string() }).nullish(),
});

const pollMilliseconds = 250;

/** `resource`: where the result is; where the answer says when it is undefined. */
async function followOperation(
  first: Answer,
  resource: string | undefined,
  get: (url: string) => Promise<Answer>,
): Promise<unknown> {
  const body = armAnswer(first);
  const statusUrl = first.headers["azure-asyncoperation"];
  if (typeof statusUrl !== "string") return body;
  for (;;) {
    const { status, error } = operationSchema.parse(armAnswer(await get(statusUrl)));
    if (status === "Succeeded") break;
    if (status === "Failed" || status === "Canceled")
      throw new HoldfastError(error?.code ?? status, { status: 500 }, error?.message ?? `It ended as ${status}.`);
    await sleep(pollMilliseconds);
  }
  const result = resource ?? first.headers.location;
  return result === undefined ? undefined : armAnswer(await get(result));
}

function armAnswer({ status, text }: Pick<Answer, "status" | "text">): unknown {
  let body: unknown;
  try {
    body = text === "" ? undefined : JSON.parse(text);
  } catch {
    body = undefined;
  }
  if (status < 400) return body;
  const known = errorSchema.safeParse(body);
  if (!known.success) throw clientErrors.RequestRefused(`The service answered ${status}: ${text.slice(0, 300)}`);
  throw new HoldfastError(known.data.error.code, { status }, known.data.error.message);
}

const post = (
  url: string,
  body: string,
  authority: Buffer,
  headers: Readonly<Record<string, string>> = form,
): Promise<Answer> => send("POST", url, body, authority, headers);

function send(
  method: string,
  url: string,
  body: string,
  authority: Buffer,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, ca: authority, timeout: answerMilliseconds, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () =>
        resolve({
          status: answer.statusCode ?? 0,
          text: Buffer.concat(chunks).toString("utf8"),
          headers: answer.headers,
        }),
      );
    });
    sent.on("timeout", () => sent.destroy(new Error(`no answer in ${answerMilliseconds / 1000} s`)));
    sent.on("error", (cause) =>
      reject(clientErrors.ServiceNotRunning(`The service does not answer: ${cause.message}.`, { cause })),
    );
    sent.end(body);
  });
}
