// Calls of other providers that wait until the provider has finished.

import type { WireReply } from "../../../arm/dispatch.ts";
import type { Json } from "../../../arm/relaxed-json/json.ts";
import type { ProviderReply } from "../../../arm/template/deployment-host.ts";
import type { Caller } from "../../../arm/request.ts";
import { defineErrors, HoldfastError } from "../../../lib/errors.ts";
import { sleep } from "../../../lib/time.ts";
import type { InProcessCall, InProcessClient } from "./in-process-client.ts";

const errors = defineErrors({ ProviderAnswerInvalid: { status: 502 } });

export interface ProviderCalls {
  request(
    method: InProcessCall["method"],
    path: string,
    apiVersion: string,
    body: Json | undefined,
    signal: AbortSignal,
  ): Promise<ProviderReply>;
}

export interface OnBehalf {
  readonly caller: Caller;
  readonly correlationId: string;
  readonly origin: string;
}

const firstPauseMilliseconds = 20;
const longestPauseMilliseconds = 1000;
/** A large deployment may be more than its caller may send at once: it waits, as any client would. */
const throttledAttempts = 60;

export function providerCalls(client: InProcessClient, behalf: OnBehalf): ProviderCalls {
  const send = async (
    method: InProcessCall["method"],
    target: string,
    body: Json | undefined,
    signal: AbortSignal,
  ): Promise<WireReply> => {
    for (let attempt = 1; ; attempt += 1) {
      const reply = await client.send({ ...behalf, method, target, body, signal });
      if (reply.status < 400) return reply;
      if (reply.status !== 429 || attempt >= throttledAttempts) throw errorOf(reply);
      await sleep(Math.max(1, Number(reply.headers["Retry-After"]) || 1) * 1000, signal);
    }
  };

  const settle = async (first: WireReply, signal: AbortSignal): Promise<WireReply | undefined> => {
    const status = first.headers["Azure-AsyncOperation"];
    const location = first.headers["Location"];
    if (status === undefined && (first.status !== 202 || location === undefined)) return first;
    for (let pause = firstPauseMilliseconds; ; pause = Math.min(pause * 2, longestPauseMilliseconds)) {
      await sleep(pause, signal);
      const polled = await send("GET", pathOf(status ?? location ?? ""), undefined, signal);
      if (status === undefined) {
        if (polled.status !== 202) return polled;
        continue;
      }
      const operation = bodyOf(polled) as { status?: string; error?: WireErrorBody } | undefined;
      if (operation?.status === "Succeeded") return undefined;
      if (operation?.status === "Failed" || operation?.status === "Canceled") throw fromWire(operation.error, 409);
    }
  };

  return {
    request: async (method, path, apiVersion, body, signal) => {
      const target = `${encodePath(path)}?api-version=${encodeURIComponent(apiVersion)}`;
      const first = await send(method, target, body, signal);
      const last = await settle(first, signal);
      if (last !== undefined) return { statusCode: first.status, body: bodyOf(last) };
      if (method !== "PUT") return { statusCode: first.status, body: undefined };
      return { statusCode: first.status, body: bodyOf(await send("GET", target, undefined, signal)) };
    },
  };
}

function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

function pathOf(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null)
    throw errors.ProviderAnswerInvalid(`The provider answered with a status address that is no URL: '${url}'.`);
  return parsed.pathname + parsed.search;
}

function bodyOf(reply: WireReply): Json | undefined {
  return reply.body === undefined ? undefined : (JSON.parse(reply.body) as Json);
}

interface WireErrorBody {
  readonly code?: string;
  readonly message?: string;
  readonly target?: string;
  readonly details?: readonly WireErrorBody[];
}

function errorOf(reply: WireReply): HoldfastError {
  const body = bodyOf(reply) as { error?: WireErrorBody } | undefined;
  return fromWire(body?.error, reply.status);
}

function fromWire(error: WireErrorBody | undefined, status: number): HoldfastError {
  return new HoldfastError(
    error?.code ?? "ProviderFailed",
    { status },
    error?.message ?? `The provider answered with status ${status}.`,
    {
      target: error?.target,
      details: (error?.details ?? []).map((detail) => fromWire(detail, status)),
    },
  );
}
