// A request to the Blob endpoint, taken apart: which account, container and blob, under which of the
// two addresses that an account has:
//   https://{account}.blob.{anything}/{container}/{blob}
//   https://{host}/{account}/{container}/{blob}

import { blobErrors } from "../errors.ts";
import { isAccountName, reservedAccountNames } from "../names.ts";

/** As the listener hands it over. */
export interface BlobWireRequest {
  readonly method: string;
  /** Path and query exactly as they came. */
  readonly target: string;
  /** The Host header. */
  readonly host: string;
  /** Where the client connects from; undefined for the service itself. */
  readonly clientAddress: string | undefined;
  readonly signal: AbortSignal;
  header(name: string): string | undefined;
  readonly headerNames: readonly string[];
  /** The body as it arrives. */
  body(): AsyncIterable<Uint8Array>;
}

export interface BlobReply {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body?: string | AsyncIterable<Uint8Array>;
}

export interface BlobLocation {
  readonly account: string;
  readonly container: string | undefined;
  readonly blob: string | undefined;
}

export interface ParsedTarget {
  readonly path: string;
  readonly query: readonly (readonly [string, string])[];
}

/** The account that a request may be for, by its form alone. */
export function accountNameOf(host: string, target: string): { account: string; inPath: boolean } | undefined {
  const byHost = /^([a-z0-9]{3,24})\.blob\.[a-z0-9.-]+(?::\d+)?$/i.exec(host)?.[1];
  if (byHost !== undefined) return { account: byHost.toLowerCase(), inPath: false };
  const first = /^\/+([^/?]+)/.exec(target)?.[1];
  if (first === undefined || !isAccountName(first) || reservedAccountNames.has(first)) return undefined;
  return { account: first, inPath: true };
}

export function parseTarget(target: string): ParsedTarget {
  const at = target.indexOf("?");
  const path = at === -1 ? target : target.slice(0, at);
  const text = at === -1 ? "" : target.slice(at + 1);
  const query = text
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair): [string, string] => {
      const equals = pair.indexOf("=");
      const name = equals === -1 ? pair : pair.slice(0, equals);
      return [decode(name), equals === -1 ? "" : decode(pair.slice(equals + 1))];
    });
  // What is signed and what is done must be the same: no parameter comes twice.
  const names = query.map(([name]) => name.toLowerCase());
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw blobErrors.InvalidQueryParameterValue(`The query parameter '${twice.slice(0, 40)}' is given twice.`);
  return { path, query };
}

export function locate(account: string, inPath: boolean, path: string): BlobLocation {
  const rest = (inPath ? path.replace(/^\/+[^/]+/, "") : path).replace(/^\/+/, "");
  const slash = rest.indexOf("/");
  const container = decode(slash === -1 ? rest : rest.slice(0, slash));
  const blob = slash === -1 ? "" : decode(rest.slice(slash + 1));
  return { account, container: container === "" ? undefined : container, blob: blob === "" ? undefined : blob };
}

/** A `+` is a plus: Azure's clients encode spaces as %20. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw blobErrors.InvalidUri(`The request URI is invalid: '${text.slice(0, 100)}' is not percent-encoded UTF-8.`, {
      cause,
    });
  }
}
