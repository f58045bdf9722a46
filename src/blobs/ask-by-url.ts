// A request to the Blob endpoint by the URL that a client would use, without leaving the process: what
// the URL's signature allows, and nothing more. Somebody else's URL is nobody's here.

import { HoldfastError } from "../lib/errors.ts";
import type { Blobs } from "./blobs.ts";
import { blobErrors } from "./errors.ts";
import { blobEndpoint } from "./http/endpoint.ts";
import type { BlobReply } from "./http/request.ts";

export interface UrlRequest {
  readonly method: "GET" | "PUT";
  readonly url: URL;
  /** By lower-case name. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export type BlobPlace = Pick<Blobs, "store" | "accountUrl">;

/** Undefined when the URL is not of this service's blobs. Throws the endpoint's error as it would be answered. */
export async function askByUrl(
  { store, accountUrl }: BlobPlace,
  { method, url, headers = {}, body }: UrlRequest,
  signal: AbortSignal,
): Promise<BlobReply | undefined> {
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
    method,
    target: `${url.pathname}${url.search}`,
    host: url.host,
    clientAddress: undefined,
    signal,
    header: (name) => headers[name.toLowerCase()],
    headerNames: Object.keys(headers),
    body: async function* () {
      if (body !== undefined) yield body;
    },
  });
  if (reply === undefined || reply.status < 300) return reply;
  if (failure instanceof HoldfastError) throw failure;
  throw blobErrors.InvalidUri(
    `'${url.origin}${url.pathname}' was answered with ${reply.status} ${reply.headers["x-ms-error-code"] ?? ""}.`,
    { cause: failure },
  );
}
