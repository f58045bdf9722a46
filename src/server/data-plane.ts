// Endpoints beside the management API that have a wire of their own (blobs, keys and secrets). They
// share the listener: each looks at a request first and leaves alone what is not for it.

import type { Context } from "hono";
import type { HttpBindings } from "@hono/node-server";

export interface DataPlane {
  /** Undefined: the request is for somebody else. */
  handle(request: DataPlaneRequest): Promise<DataPlaneReply | undefined>;
}

export interface DataPlaneRequest {
  readonly method: string;
  /** Path and query exactly as they came, still encoded. */
  readonly target: string;
  readonly host: string;
  readonly clientAddress: string;
  readonly signal: AbortSignal;
  header(name: string): string | undefined;
  /** Lower case. */
  readonly headerNames: readonly string[];
  body(): AsyncIterable<Uint8Array>;
}

export interface DataPlaneReply {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body?: string | AsyncIterable<Uint8Array>;
}

export async function askDataPlanes(
  planes: readonly DataPlane[],
  context: Context<{ Bindings: HttpBindings }>,
  ending: AbortSignal,
): Promise<Response | undefined> {
  const { incoming } = context.env;
  const request: DataPlaneRequest = {
    method: context.req.method,
    target: incoming.url ?? "/",
    host: incoming.headers.host ?? "localhost",
    clientAddress: incoming.socket.remoteAddress ?? "",
    signal: AbortSignal.any([context.req.raw.signal, ending]),
    header: (name) => context.req.header(name),
    headerNames: Object.keys(incoming.headers),
    body: async function* () {
      if (context.req.raw.body !== null) yield* context.req.raw.body;
    },
  };
  for (const plane of planes) {
    const reply = await plane.handle(request);
    if (reply !== undefined) return toResponse(reply);
  }
  return undefined;
}

function toResponse({ status, headers, body }: DataPlaneReply): Response {
  const content = body === undefined || typeof body === "string" ? (body ?? null) : ReadableStream.from(body);
  return new Response(content as ConstructorParameters<typeof Response>[0], { status, headers });
}
