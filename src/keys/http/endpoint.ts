// The data plane of vaults, at
//   https://{vault}.vault.{anything}/keys/…       (as Azure; needs a name that resolves)
//   https://{host}/vaults/{vault}/keys/…          (works wherever the service is reached)
// A request without a token is answered with the challenge that Microsoft's clients wait for.

import { HoldfastError } from "../../lib/errors.ts";
import { newGuid } from "../../lib/random.ts";
import type { VaultCaller } from "../access.ts";
import { keyErrors } from "../errors.ts";
import type { KeyStore } from "../store.ts";
import { isAdmitted } from "../../lib/admitted-clients.ts";
import { findVault, type Vault } from "../vaults.ts";
import type { VaultContext, VaultReply, VaultRoute } from "./context.ts";
import { keyRoutes } from "./key-routes.ts";
import { secretRoutes } from "./secret-routes.ts";
import { parseShallowJson } from "../../lib/shallow-json.ts";

export interface VaultWireRequest {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  /** Where the client connects from; absent for the service itself. */
  readonly clientAddress?: string;
  header(name: string): string | undefined;
  body(): AsyncIterable<Uint8Array>;
}

export interface VaultWireReply {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body?: string;
}

export interface VaultEndpointParts {
  readonly store: KeyStore;
  /** Who sends this header; `resource` is what the token must be for. Throws with status 401. */
  readonly authenticate: (authorization: string, tenantId: string, resource: string) => Promise<VaultCaller>;
  /** Where a tenant's tokens come from. */
  readonly authority: (tenantId: string) => string;
  readonly report: (error: unknown, requestId: string) => void;
}

export interface VaultEndpoint {
  /** Undefined: the request is for no vault. */
  handle(request: VaultWireRequest): Promise<VaultWireReply | undefined>;
}

const routes: readonly (VaultRoute & { readonly segments: readonly string[] })[] = [...keyRoutes, ...secretRoutes]
  .map((route) => ({ ...route, segments: route.path.split("/") }))
  // Fixed words win over names: keys/restore is no key, keys/{name}/versions no version.
  .sort((left, right) => wildcards(left.segments) - wildcards(right.segments));

const largestBody = 8 * 1024 * 1024;

export interface VaultAddress {
  readonly vault: string;
  readonly inPath: boolean;
}

export function vaultOf(host: string, target: string): VaultAddress | undefined {
  const byHost = /^([a-z0-9-]{3,24})\.vault\.[a-z0-9.-]+(?::\d+)?$/i.exec(host)?.[1];
  if (byHost !== undefined) return { vault: byHost.toLowerCase(), inPath: false };
  const inPath = /^\/+vaults\/+([A-Za-z0-9-]{3,24})(?=[/?]|$)/.exec(target)?.[1];
  return inPath === undefined ? undefined : { vault: inPath.toLowerCase(), inPath: true };
}

export function vaultEndpoint(parts: VaultEndpointParts): VaultEndpoint {
  return {
    handle: async (request) => {
      const address = vaultOf(request.host, request.target);
      return address === undefined ? undefined : answer(parts, address, request);
    },
  };
}

async function answer(
  parts: VaultEndpointParts,
  address: VaultAddress,
  request: VaultWireRequest,
): Promise<VaultWireReply> {
  const requestId = newGuid();
  const headers: Record<string, string> = {
    "x-ms-request-id": requestId,
    "x-ms-keyvault-service-version": "1.9",
    "Cache-Control": "no-cache",
    Pragma: "no-cache",
  };
  const clientRequestId = request.header("x-ms-client-request-id");
  if (clientRequestId !== undefined && /^[\w-]{1,80}$/.test(clientRequestId))
    headers["x-ms-client-request-id"] = clientRequestId;
  try {
    const { status, body } = await run(parts, address, request);
    if (body === undefined) return { status, headers };
    return {
      status,
      headers: { ...headers, "Content-Type": "application/json; charset=utf-8" },
      body: JSON.stringify(body),
    };
  } catch (error) {
    const known =
      error instanceof HoldfastError
        ? error
        : keyErrors.InternalError(`The request could not be carried out; the log has the details under ${requestId}.`, {
            cause: error,
          });
    if (known.status >= 500) parts.report(error, requestId);
    const { wwwAuthenticate, inner } = known.facts;
    if (wwwAuthenticate !== undefined) headers["WWW-Authenticate"] = String(wwwAuthenticate);
    const body = {
      error: {
        code: known.code,
        message: known.sentence,
        ...(inner === undefined ? {} : { innererror: { code: inner } }),
      },
    };
    return {
      status: known.status,
      headers: { ...headers, "Content-Type": "application/json; charset=utf-8" },
      body: JSON.stringify(body),
    };
  }
}

async function run(parts: VaultEndpointParts, address: VaultAddress, request: VaultWireRequest): Promise<VaultReply> {
  const url = new URL(`https://vault/${request.target.slice(1)}`);
  const path = address.inPath ? url.pathname.replace(/^\/+vaults\/+[^/]+/i, "") : url.pathname;
  const vault = await findVault(parts.store.database.kysely, address.vault);
  if (vault === undefined) throw keyErrors.VaultNotFound(`There is no key vault '${address.vault}'.`);
  const port = /:\d+$/.exec(request.host)?.[0] ?? "";
  const domain = address.inPath ? `vault.localhost${port}` : request.host.slice(request.host.indexOf(".") + 1);
  const resource = address.inPath ? `https://${request.host}` : `https://${domain}`;
  const caller = await authenticate(parts, request, vault.tenantId, resource);
  checkNetwork(vault, request.clientAddress);
  const segments = path
    .split("/")
    .filter((segment) => segment !== "")
    .map(decode);
  const found = findRoute(request.method, segments);
  const context: VaultContext = {
    store: parts.store,
    vault,
    // Ids always have the host name: clients take them apart and allow no path before /keys/.
    base: `https://${vault.name}.${domain}`,
    caller,
    params: found.params,
    body: request.method === "GET" || request.method === "DELETE" ? undefined : await readJson(request),
    query: (name) => [...url.searchParams].find(([key]) => key.toLowerCase() === name)?.[1],
  };
  return found.route.run(context);
}

async function authenticate(
  parts: VaultEndpointParts,
  request: VaultWireRequest,
  tenantId: string,
  resource: string,
): Promise<VaultCaller> {
  const wwwAuthenticate = `Bearer authorization="${parts.authority(tenantId)}", resource="${resource}"`;
  const authorization = request.header("authorization");
  if (authorization === undefined)
    throw keyErrors.Unauthorized("AKV10000: Request is missing a Bearer or PoP token.", { facts: { wwwAuthenticate } });
  try {
    return await parts.authenticate(authorization, tenantId, resource);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    throw keyErrors.Unauthorized(`AKV10032: ${error.message}`, { cause: error, facts: { wwwAuthenticate } });
  }
}

function checkNetwork({ name, settings: { admitted } }: Vault, clientAddress: string | undefined): void {
  if (isAdmitted(admitted, clientAddress)) return;
  if (admitted === "none") {
    throw keyErrors.Forbidden(
      `Public network access to the vault '${name}' is disabled and the request is not from a trusted service nor via an approved private link. Set publicNetworkAccess to Enabled.`,
      { facts: { inner: "ForbiddenByConnection" } },
    );
  }
  throw keyErrors.Forbidden(
    `Client address is not authorized and caller is not a trusted service. Client address: ${clientAddress ?? ""}; vault: ${name}. Add the address to networkAcls.ipRules.`,
    { facts: { inner: "ForbiddenByFirewall" } },
  );
}

function findRoute(method: string, segments: readonly string[]): { route: VaultRoute; params: Record<string, string> } {
  const fitting = routes.filter(
    ({ segments: pattern }) =>
      pattern.length === segments.length &&
      pattern.every((part, index) => part.startsWith("{") || part.toLowerCase() === segments[index]?.toLowerCase()),
  );
  const route = fitting.find((one) => one.method === method);
  if (route === undefined) {
    if (fitting.length > 0)
      throw keyErrors.MethodNotAllowed(`The method ${method} is not offered at /${segments.join("/").slice(0, 200)}.`);
    throw keyErrors.NotFound(
      `There is nothing at /${segments.join("/").slice(0, 200)}; this service keeps keys and secrets.`,
    );
  }
  const params: Record<string, string> = {};
  for (const [index, part] of route.segments.entries())
    if (part.startsWith("{")) params[part.slice(1, -1)] = segments[index] ?? "";
  return { route, params };
}

async function readJson(request: VaultWireRequest): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of request.body()) {
    size += piece.byteLength;
    if (size > largestBody) throw keyErrors.BadParameter(`The body is larger than ${largestBody} bytes.`);
    pieces.push(piece);
  }
  const text = Buffer.concat(pieces).toString("utf8");
  if (text.trim() === "") return undefined;
  try {
    return parseShallowJson(text);
  } catch {
    // Not as `cause`: a parser's message repeats the text, and the text may be a secret.
    throw keyErrors.BadParameter("The body is no JSON.");
  }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw keyErrors.BadParameter("The path is not percent-encoded UTF-8.");
  }
}

function wildcards(segments: readonly string[]): number {
  return segments.filter((segment) => segment.startsWith("{")).length;
}
