// Requests that the service sends to itself: a deployment's resources go through the one dispatcher,
// with the access checks, locks and activity log of the person who deploys. The caller travels
// under a token that is made for one request, known to nobody else and forgotten with the answer.

import type { DispatchParts, Dispatcher, WireReply } from "../../../arm/dispatch.ts";
import type { Caller } from "../../../arm/request.ts";
import { randomBytes } from "../../../lib/random.ts";

export interface InProcessCall {
  readonly method: "GET" | "PUT" | "PATCH" | "POST" | "DELETE";
  /** Path and query, encoded. */
  readonly target: string;
  readonly body?: unknown;
  readonly caller: Caller;
  readonly correlationId: string;
  readonly origin: string;
  readonly signal: AbortSignal;
}

export interface InProcessClient {
  send(call: InProcessCall): Promise<WireReply>;
  /** Put before the real authentication: knows the tokens of this client and nothing else. */
  authenticate(real: DispatchParts["authenticate"]): DispatchParts["authenticate"];
  readonly checkPut: Dispatcher["checkPut"];
  connect(dispatcher: Answering): void;
}

type Answering = Pick<Dispatcher, "handle" | "checkPut">;

const scheme = "InProcess ";

export function createInProcessClient(): InProcessClient {
  const callers = new Map<string, Caller>();
  let dispatcher: Answering | undefined;
  const connected = (): Answering => {
    if (dispatcher === undefined) throw new Error("the in-process client is not connected to a dispatcher");
    return dispatcher;
  };
  return {
    checkPut: (path, apiVersion, body) => connected().checkPut(path, apiVersion, body),
    connect: (made) => {
      dispatcher = made;
    },
    authenticate: (real) => async (authorization, tenantId) => {
      const caller = authorization?.startsWith(scheme) === true ? callers.get(authorization) : undefined;
      return caller ?? real(authorization, tenantId);
    },
    send: async (call) => {
      const authorization = scheme + randomBytes(32).toString("base64url");
      const headers = new Map<string, string>([
        ["authorization", authorization],
        ["x-ms-correlation-request-id", call.correlationId],
        ["content-type", "application/json"],
      ]);
      callers.set(authorization, call.caller);
      try {
        return await connected().handle({
          method: call.method,
          target: call.target,
          origin: call.origin,
          clientAddress: undefined,
          signal: call.signal,
          header: (name) => headers.get(name.toLowerCase()),
          text: async () => (call.body === undefined ? "" : JSON.stringify(call.body)),
        });
      } finally {
        callers.delete(authorization);
      }
    },
  };
}
