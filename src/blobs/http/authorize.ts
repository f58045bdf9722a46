// May this request do this? By the account's key, by a signature made with it, by a user delegation,
// or by a token through the access checker. Whatever cannot be read is refused.

import { systemClock } from "../../lib/clock.ts";
import { HoldfastError } from "../../lib/errors.ts";
import { blobErrors } from "../errors.ts";
import type { Account } from "../rows/account.ts";
import { findContainer, type StoredPolicy } from "../rows/container.ts";
import {
  accountSasText,
  delegationKeyText,
  delegationSasText,
  isKnownVersion,
  serviceSasText,
  type SasFields,
} from "../sas/sas.ts";
import { sharedKeyTexts } from "../sas/shared-key.ts";
import { isSignedBy, sign } from "../sas/signature.ts";
import type { BlobStore } from "../store.ts";
import type { Need } from "./operation.ts";
import type { BlobLocation, BlobWireRequest, ParsedTarget } from "./request.ts";

export interface BlobPrincipal {
  readonly objectId: string;
  readonly tenantId: string;
}

/** Who the service knows; the Blob endpoint itself knows accounts and keys only. */
export interface BlobCallers {
  /** Whose token it is; throws with status 401. */
  authenticate(authorization: string): Promise<BlobPrincipal>;
  may(objectId: string, action: string, scope: string, kind: "action" | "dataAction"): Promise<boolean>;
  /** The WWW-Authenticate header of a 401. */
  challenge(): string;
}

export interface Permit {
  /** What is there may not be replaced. */
  readonly createOnly: boolean;
  /** Set when a token was shown. */
  readonly principal?: BlobPrincipal;
  /** The signature's fields: they may set headers of the answer. */
  readonly sas?: SasFields;
}

export interface AuthorizationParts {
  readonly store: BlobStore;
  readonly callers: BlobCallers;
  readonly account: Account;
  readonly location: BlobLocation;
}

export interface Proof extends ParsedTarget {
  readonly wire: Pick<BlobWireRequest, "method" | "header" | "headerNames" | "clientAddress">;
}

const clockTolerance = 15 * 60_000;

export async function authorize(parts: AuthorizationParts, proof: Proof, need: Need): Promise<Permit> {
  const authorization = proof.wire.header("authorization");
  if (authorization !== undefined && /^bearer /i.test(authorization)) return byToken(parts, authorization, need);
  if (authorization !== undefined) return bySharedKey(parts, proof, authorization);
  const fields = new Map(proof.query.map(([name, value]) => [name.toLowerCase(), value]));
  if (fields.has("sig")) return authorizeSas(parts, fields, proof.wire.clientAddress, need);
  throw blobErrors.NoAuthenticationInformation(
    "Server failed to authenticate the request. Send an Authorization header (SharedKey or Bearer), or a signature in the query.",
    { facts: { wwwAuthenticate: parts.callers.challenge() } },
  );
}

export async function authorizeSas(
  parts: AuthorizationParts,
  fields: SasFields,
  clientAddress: string | undefined,
  need: Need,
): Promise<Permit> {
  const { account, location } = parts;
  const signature = fields.get("sig") ?? "";
  const version = fields.get("sv") ?? "";
  if (!isKnownVersion(version))
    throw unauthenticated(`sv is '${version.slice(0, 20)}', which is no version of the service.`);
  const target = {
    account: account.name,
    container: location.container ?? "",
    ...(fields.get("sr") === "c" ? {} : { blob: location.blob ?? "" }),
  };
  const isAccount = fields.has("ss") || fields.has("srt");
  const isDelegated = fields.has("skoid");

  if (isDelegated) {
    const text = delegationSasText(target, fields);
    if (!account.keys.some((key) => isSignedBy(sign(key, delegationKeyText(fields)), text, signature)))
      throw mismatch();
    if (fields.get("sks") !== "b")
      throw blobErrors.AuthorizationServiceMismatch("The delegation key is not for blobs.");
    checkTimes(parts, fields.get("skt"), fields.get("ske"));
  } else {
    if (!account.allowsSharedKey) throw keysNotPermitted();
    const text = isAccount ? accountSasText(account.name, fields) : serviceSasText(target, fields);
    if (!account.keys.some((key) => isSignedBy(key, text, signature))) throw mismatch();
  }

  const policy = await storedPolicy(parts, fields, isAccount || isDelegated);
  checkTimes(
    parts,
    eitherOf("st", fields.get("st"), policy?.start),
    eitherOf("se", fields.get("se"), policy?.expiry) ?? "",
  );
  checkAddress(fields.get("sip"), clientAddress);
  const protocol = fields.get("spr");
  if (protocol !== undefined && !["https", "https,http", "http,https"].includes(protocol)) {
    throw blobErrors.AuthorizationProtocolMismatch(
      "This request is not authorized to perform this operation using this protocol.",
    );
  }
  if (isAccount) {
    if (!(fields.get("ss") ?? "").includes("b"))
      throw blobErrors.AuthorizationServiceMismatch("The signature is not for blobs (ss has no b).");
    if (!(fields.get("srt") ?? "").includes(need.level)) {
      throw blobErrors.AuthorizationResourceTypeMismatch(
        `This request is not authorized to perform this operation using this resource type: srt has no ${need.level}.`,
      );
    }
  } else checkResource(fields, need, location);
  const permissions = eitherOf("sp", fields.get("sp"), policy?.permissions) ?? "";
  const permit = { createOnly: permitted(permissions, need), sas: fields };
  if (isDelegated) await checkRole(parts, fields.get("skoid") ?? "", need);
  return permit;
}

/** Throws unless a letter of `permissions` suffices; true when only creating is allowed. */
function permitted(permissions: string, need: Need): boolean {
  const has = [...need.sas].filter((letter) => permissions.includes(letter));
  if (has.length === 0) {
    throw blobErrors.AuthorizationPermissionMismatch(
      `This request is not authorized to perform this operation using this permission: sp is '${permissions.slice(0, 30)}', it needs one of '${need.sas}'.`,
    );
  }
  return need.sas.includes("w") && has.every((letter) => letter === "c");
}

async function storedPolicy(
  parts: AuthorizationParts,
  fields: SasFields,
  isOther: boolean,
): Promise<StoredPolicy | undefined> {
  const id = fields.get("si");
  if (id === undefined || isOther) return undefined;
  const container = await findContainer(parts.store.database.kysely, {
    account: parts.account.name,
    container: parts.location.container ?? "",
  });
  const policy = container?.policies.find((one) => one.id === id);
  if (policy === undefined) throw unauthenticated(`There is no stored access policy '${id.slice(0, 64)}'.`);
  return policy;
}

function eitherOf(name: string, own: string | undefined, stored: string | undefined): string | undefined {
  if (own !== undefined && own !== "" && stored !== undefined)
    throw unauthenticated(
      `Access policy fields can be associated with signature or SAS identifier but not both: ${name}.`,
    );
  return own ?? stored;
}

function checkTimes(parts: AuthorizationParts, start: string | undefined, expiry: string | undefined): void {
  const now = parts.store.database.clock.now();
  if (start !== undefined && start !== "" && now < sasTime("start", start))
    throw unauthenticated("Signature not valid in the specified time frame: it is not valid yet.");
  if (expiry === undefined) throw unauthenticated("The signature has no expiry.");
  if (now >= sasTime("expiry", expiry))
    throw unauthenticated("Signature not valid in the specified time frame: it has expired.");
}

function sasTime(name: string, text: string): number {
  const time = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,7})?)?Z)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw unauthenticated(`The ${name} '${text.slice(0, 40)}' is not an ISO 8601 UTC time.`);
  return time;
}

function checkResource(fields: SasFields, need: Need, location: BlobLocation): void {
  const kind = fields.get("sr");
  const isBlobLevel = need.level === "o";
  const snapshot = fields.get("snapshot");
  const fits =
    (kind === "c" && location.container !== undefined && (isBlobLevel || need.sas.includes("l"))) ||
    (kind === "b" && isBlobLevel && location.blob !== undefined && snapshot === undefined) ||
    (kind === "bs" && isBlobLevel && location.blob !== undefined && snapshot !== undefined);
  if (!fits)
    throw blobErrors.AuthorizationResourceTypeMismatch(
      `This request is not authorized to perform this operation: the signature's resource is '${(kind ?? "").slice(0, 10)}'.`,
    );
}

function checkAddress(allowed: string | undefined, clientAddress: string | undefined): void {
  if (allowed === undefined || allowed === "") return;
  const [from, to = from] = allowed.split("-");
  const address = ipv4((clientAddress ?? "").replace(/^::ffff:/i, ""));
  const low = ipv4(from ?? "");
  const high = ipv4(to ?? "");
  if (address === undefined || low === undefined || high === undefined || address < low || address > high) {
    throw blobErrors.AuthorizationSourceIPMismatch(
      "This request is not authorized to perform this operation using this source IP.",
    );
  }
}

function ipv4(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((value, part) => value * 256 + part, 0);
}

function bySharedKey({ account }: AuthorizationParts, proof: Proof, authorization: string): Permit {
  const match = /^SharedKey ([a-z0-9]{3,24}):([A-Za-z0-9+/=]{1,100})$/.exec(authorization);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw blobErrors.AuthenticationFailed(
      "The Authorization header is not 'SharedKey account:signature' or 'Bearer token'.",
    );
  }
  if (!account.allowsSharedKey) throw keysNotPermitted();
  const sent = Date.parse(proof.wire.header("x-ms-date") ?? proof.wire.header("date") ?? "");
  // The client's clock is a real one, whatever the service's clock is set to.
  if (Number.isNaN(sent) || Math.abs(sent - systemClock.now()) > clockTolerance) {
    throw unauthenticated(
      "The date header (x-ms-date) is missing or more than 15 minutes away from the server's clock.",
    );
  }
  const request = {
    method: proof.wire.method,
    path: proof.path,
    query: proof.query,
    header: proof.wire.header,
    headerNames: proof.wire.headerNames,
  };
  const signature = match[2];
  const texts = match[1] === account.name ? sharedKeyTexts(account.name, request) : [];
  if (!texts.some((text) => account.keys.some((key) => isSignedBy(key, text, signature)))) throw mismatch();
  return { createOnly: false };
}

async function byToken(parts: AuthorizationParts, authorization: string, need: Need): Promise<Permit> {
  let principal: BlobPrincipal;
  try {
    principal = await parts.callers.authenticate(authorization);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    throw new HoldfastError("InvalidAuthenticationInfo", { status: 401 }, error.message, {
      cause: error,
      facts: { wwwAuthenticate: parts.callers.challenge() },
    });
  }
  await checkRole(parts, principal.objectId, need);
  return { createOnly: false, principal };
}

async function checkRole(parts: AuthorizationParts, objectId: string, need: Need): Promise<void> {
  const { account, location } = parts;
  if (need.action === undefined) throw blobErrors.AuthorizationFailure("This operation needs the account's key.");
  const base = account.scope === "" ? "/" : account.scope;
  const scope =
    location.container === undefined ? base : `${base}/blobServices/default/containers/${location.container}`;
  if (await parts.callers.may(objectId, need.action.name, scope, need.action.kind)) return;
  throw blobErrors.AuthorizationPermissionMismatch(
    `This request is not authorized to perform this operation using this permission: '${objectId}' lacks ${need.action.name} at ${scope}. Roles such as 'Storage Blob Data Contributor' have it.`,
  );
}

function mismatch(): Error {
  return unauthenticated(
    "The signature did not match: check the key, and that nothing that is signed was changed on the way.",
  );
}

function unauthenticated(why: string): Error {
  return blobErrors.AuthenticationFailed(`Server failed to authenticate the request. ${why}`);
}

function keysNotPermitted(): Error {
  return blobErrors.KeyBasedAuthenticationNotPermitted(
    "Key based authentication is not permitted on this storage account. Use a token.",
  );
}
