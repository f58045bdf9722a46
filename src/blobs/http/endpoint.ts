// The Blob endpoint: which account, which operation, may it, do it. Every answer echoes the version and
// the client's request id; every failure has Azure's code, as a header and in XML.

import { HoldfastError } from "../../lib/errors.ts";
import { isAdmitted } from "../../lib/admitted-clients.ts";
import { newGuid } from "../../lib/random.ts";
import { blobErrors } from "../errors.ts";
import { isAccountName, type BlobAddress } from "../names.ts";
import { findAccount, type Account } from "../rows/account.ts";
import { sasVersion } from "../sas/make-sas.ts";
import type { BlobStore } from "../store.ts";
import { authorize, authorizeSas, type BlobCallers } from "./authorize.ts";
import { containerOperations } from "./container-operations.ts";
import type { Context } from "./context.ts";
import { refuseNotOffered } from "./not-offered.ts";
import type { Level, Operation } from "./operation.ts";
import { readOperations } from "./read-operations.ts";
import { httpDate } from "./replies.ts";
import {
  accountNameOf,
  locate,
  parseTarget,
  type BlobLocation,
  type BlobReply,
  type BlobWireRequest,
} from "./request.ts";
import { serviceOperations } from "./service-operations.ts";
import { writeOperations } from "./write-operations.ts";
import { xml, xmlDocument } from "./xml.ts";

export interface EndpointParts {
  readonly store: BlobStore;
  readonly callers: BlobCallers;
  /** Where this service is reached: a copy's source must begin with one of them. */
  readonly origins: () => readonly string[];
  /** Hears of failures that are our own fault. */
  readonly report: (error: unknown, requestId: string) => void;
}

export interface BlobEndpoint {
  /** Undefined: this request is for no storage account. */
  handle(request: BlobWireRequest): Promise<BlobReply | undefined>;
}

const operations: readonly Operation[] = [
  ...serviceOperations,
  ...containerOperations,
  ...readOperations,
  ...writeOperations,
];
const accountInformation: Omit<Operation, "level"> = {
  method: "GET",
  comp: "properties",
  sas: "rl",
  run: describeAccount,
};

export function blobEndpoint(parts: EndpointParts): BlobEndpoint {
  return {
    handle: async (request) => {
      const found = accountNameOf(request.host, request.target);
      if (found === undefined || !isAccountName(found.account)) return undefined;
      const account = await findAccount(parts.store.database.kysely, parts.store.secretBox, found.account);
      if (account === undefined && found.inPath) return undefined;
      return answer(parts, account, found, request);
    },
  };
}

async function answer(
  parts: EndpointParts,
  account: Account | undefined,
  found: { account: string; inPath: boolean },
  wire: BlobWireRequest,
): Promise<BlobReply> {
  const requestId = newGuid();
  const clientRequestId = wire.header("x-ms-client-request-id");
  const common: Record<string, string> = {
    "x-ms-request-id": requestId,
    "x-ms-version": versionOf(wire.header("x-ms-version")),
    Date: httpDate(parts.store.database.clock.now()),
    // A blob may be a page with scripts, and it is in the origin of the service's own pages.
    "Content-Security-Policy": "sandbox; default-src 'none'",
    ...(clientRequestId !== undefined && /^[\u0021-\u007e]{1,1024}$/.test(clientRequestId)
      ? { "x-ms-client-request-id": clientRequestId }
      : {}),
  };
  try {
    if (account === undefined) throw blobErrors.ResourceNotFound(`There is no storage account '${found.account}'.`);
    const reply = await run(parts, account, found.inPath, wire);
    return { ...reply, headers: sendable({ ...common, ...reply.headers }) };
  } catch (error) {
    const known =
      error instanceof HoldfastError
        ? error
        : blobErrors.InternalError("The server encountered an internal error.", { cause: error });
    if (known.status >= 500 && !wire.signal.aborted) parts.report(error, requestId);
    const { wwwAuthenticate } = known.facts;
    const headers = {
      ...common,
      "x-ms-error-code": codeOf(known),
      ...(wwwAuthenticate === undefined ? {} : { "WWW-Authenticate": String(wwwAuthenticate) }),
    };
    if (wire.method === "HEAD" || known.status === 304) return { status: known.status, headers };
    const message = `${known.sentence}\nRequestId:${requestId}`;
    return {
      status: known.status,
      headers: { ...headers, "Content-Type": "application/xml" },
      body: xmlDocument(xml("Error", [xml("Code", codeOf(known)), xml("Message", message)])),
    };
  }
}

/** 304 is said with the code of the condition. */
function codeOf(error: HoldfastError): string {
  return error.code === "NotModified" ? "ConditionNotMet" : error.code;
}

async function run(parts: EndpointParts, account: Account, inPath: boolean, wire: BlobWireRequest): Promise<BlobReply> {
  checkNetwork(account, wire.clientAddress);
  const target = parseTarget(wire.target);
  const location = locate(account.name, inPath, target.path);
  const query = (name: string): string | undefined => target.query.find(([key]) => key.toLowerCase() === name)?.[1];
  const operation = findOperation(wire.method, location, query);
  const permit = await authorize(
    { store: parts.store, callers: parts.callers, account, location },
    { ...target, wire },
    operation,
  );
  const context: Context = {
    store: parts.store,
    account,
    location,
    wire,
    permit,
    query,
    header: (name) => {
      const value = wire.header(name);
      return value === "" ? undefined : value;
    },
    openUrl: (url) =>
      openUrl(parts, permit.sas === undefined && permit.principal === undefined ? account : undefined, wire, url),
    accountUrl: `https://${wire.host}/${inPath ? `${account.name}/` : ""}`,
  };
  refuseNotOffered(context.header, query);
  return operation.run(context);
}

function checkNetwork({ name, admitted }: Account, clientAddress: string | undefined): void {
  if (isAdmitted(admitted, clientAddress)) return;
  const remedy =
    admitted === "none" ? "Set publicNetworkAccess to Enabled." : "Add the address to networkAcls.ipRules.";
  throw blobErrors.AuthorizationFailure(
    `This request is not authorized to perform this operation: the storage account '${name}' admits no client from ${clientAddress ?? ""}. ${remedy}`,
  );
}

function findOperation(method: string, location: BlobLocation, query: (name: string) => string | undefined): Operation {
  const level = levelOf(location, query("restype"));
  const comp = query("comp");
  if (query("restype") === "account" && comp === "properties" && (method === "GET" || method === "HEAD"))
    return { ...accountInformation, level };
  const found = operations.find(
    (operation) => operation.level === level && operation.method === method && operation.comp === comp,
  );
  if (found !== undefined) return found;
  const sameComp = operations.some((operation) => operation.level === level && operation.comp === comp);
  if (sameComp) throw blobErrors.UnsupportedHttpVerb(`The resource doesn't support the HTTP verb ${method}.`);
  throw blobErrors.InvalidQueryParameterValue(
    `Value for one of the query parameters specified in the request URI is invalid: comp '${(comp ?? "").slice(0, 40)}' at this address.`,
  );
}

function levelOf(location: BlobLocation, restype: string | undefined): Level {
  if (location.blob !== undefined && restype !== "container") return "o";
  if (location.container === undefined) return "s";
  if (restype === "container" || restype === "account") return "c";
  throw blobErrors.InvalidUri(
    "The address names a container but no blob. Say restype=container, or add the blob's name.",
  );
}

/**
 * A copy's source: only blobs of this service, so that nobody makes it fetch from elsewhere. The URL
 * must carry a signature for reading, unless it is in the account whose key signed the request.
 */
async function openUrl(
  parts: EndpointParts,
  keyHolder: Account | undefined,
  wire: BlobWireRequest,
  url: string,
): Promise<BlobAddress> {
  const unverifiable = (why: string): Error =>
    blobErrors.CannotVerifyCopySource(`The copy source cannot be read: ${why}`);
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const target = parsed === undefined ? "" : url.slice(url.indexOf("/", "https://".length));
  const found = parsed === undefined ? undefined : accountNameOf(parsed.host, target);
  const isOurs =
    parsed?.protocol === "https:" &&
    (parsed.host === wire.host ||
      parts.origins().includes(parsed.origin) ||
      (found?.inPath === false && portOf(parsed) === portOf(new URL(`https://${wire.host}`))));
  if (parsed === undefined || found === undefined || !isOurs) throw unverifiable("it is no blob of this service.");
  const account = await findAccount(parts.store.database.kysely, parts.store.secretBox, found.account);
  if (account === undefined) throw unverifiable(`there is no storage account '${found.account}'.`);
  checkNetwork(account, wire.clientAddress);
  const { path, query } = parseTarget(target);
  const location = locate(account.name, found.inPath, path);
  if (location.container === undefined || location.blob === undefined) throw unverifiable("it names no blob.");
  const fields = new Map(query.map(([name, value]) => [name.toLowerCase(), value]));
  const read = readOperations.find(({ method, comp }) => method === "GET" && comp === undefined);
  if (read === undefined) throw new Error("there is no operation that reads a blob");
  if (fields.has("sig")) {
    try {
      await authorizeSas(
        { store: parts.store, callers: parts.callers, account, location },
        fields,
        wire.clientAddress,
        read,
      );
    } catch (cause) {
      throw cause instanceof HoldfastError ? blobErrors.CannotVerifyCopySource(cause.message, { cause }) : cause;
    }
  } else if (keyHolder?.name !== account.name) {
    const token = wire.header("x-ms-copy-source-authorization") ?? wire.header("authorization");
    if (token === undefined || !/^bearer /i.test(token)) throw unverifiable("its URL has no signature.");
    const header = (name: string): string | undefined => (name === "authorization" ? token : undefined);
    await authorize(
      { store: parts.store, callers: parts.callers, account, location },
      { path, query: [], wire: { ...wire, header } },
      read,
    );
  }
  const snapshot = fields.get("snapshot");
  return {
    account: account.name,
    container: location.container,
    name: location.blob,
    ...(snapshot === undefined ? {} : { snapshot }),
  };
}

function portOf(url: URL): string {
  return url.port === "" ? "443" : url.port;
}

async function describeAccount(): Promise<BlobReply> {
  return {
    status: 200,
    headers: { "x-ms-sku-name": "Standard_LRS", "x-ms-account-kind": "StorageV2", "x-ms-is-hns-enabled": "false" },
  };
}

/** Headers carry Latin-1; what signatures and resources make them say may be any text. */
function sendable(headers: Record<string, string>): Record<string, string> {
  const clean = (text: string): string => text.replaceAll(/[^\t\u0020-\u007e\u0080-\u00ff]/g, "?");
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, clean(value)]));
}

/** Clients are told the version that they asked for: one superset serves all. */
function versionOf(asked: string | undefined): string {
  return asked !== undefined && /^\d{4}-\d{2}-\d{2}$/.test(asked) ? asked : sasVersion;
}
