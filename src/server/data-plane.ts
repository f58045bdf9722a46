// Endpoints beside the management API that have a wire of their own (blobs, keys and secrets). They
// share the listener: each looks at a request first and leaves alone what is not for it.

import type { Context } from "hono";
import type { HttpBindings } from "@hono/node-server";
import { incomingOf, type Incoming } from "./incoming.ts";

export interface DataPlane {
  /** Undefined: the request is for somebody else. */
  handle(request: DataPlaneRequest): Promise<DataPlaneReply | undefined>;
}

export interface DataPlaneRequest extends Incoming {
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
  const incoming = incomingOf(context, ending);
  const request: DataPlaneRequest = Object.assign(incoming, {
    headerNames: Object.keys(context.env.incoming.headers),
    body: async function* () {
      if (context.req.raw.body !== null) yield* context.req.raw.body;
    },
  });
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
