// A blob by the URL that a client would fetch it by, without leaving the process: what the URL's signature
// allows, and nothing more. Somebody else's URL is nobody's here.

import { HoldfastError } from "../lib/errors.ts";
import { blobErrors } from "./errors.ts";
import { blobEndpoint } from "./http/endpoint.ts";
import type { Blobs } from "./blobs.ts";

/** Undefined when the URL is not of this service's blobs. Throws the endpoint's error as it would be answered. */
export async function readByUrl(
  { store, accountUrl }: Pick<Blobs, "store" | "accountUrl">,
  url: URL,
  limitBytes: number,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  if (url.origin !== new URL(accountUrl("x")).origin) return undefined;
  let failure: unknown;
  const endpoint = blobEndpoint({
    store,
    origins: () => [url.origin],
    callers: {
      // No token is shown: only signatures open anything.
      authenticate: async () => {
        throw blobErrors.AuthenticationFailed("A URL carries no token.");
      },
      may: async () => false,
      challenge: () => "",
    },
    report: (error) => {
      failure = error;
    },
  });
  const reply = await endpoint.handle({
    method: "GET",
    target: `${url.pathname}${url.search}`,
    host: url.host,
    clientAddress: "127.0.0.1",
    signal,
    header: () => undefined,
    headerNames: [],
    body: async function* () {
      // A GET has none.
    },
  });
  if (reply === undefined) return undefined;
  const { body = "" } = reply;
  const bytes = typeof body === "string" ? Buffer.from(body) : await collect(body, limitBytes);
  if (reply.status === 200) return bytes;
  if (failure instanceof HoldfastError) throw failure;
  throw blobErrors.InvalidUri(
    `'${url.origin}${url.pathname}' was answered with ${reply.status} ${reply.headers["x-ms-error-code"] ?? ""}.`,
    { cause: failure },
  );
}

async function collect(body: AsyncIterable<Uint8Array>, limitBytes: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > limitBytes) throw blobErrors.RequestBodyTooLarge(`The blob is larger than ${limitBytes} bytes.`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
