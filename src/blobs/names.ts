// Azure's naming rules. Names never become paths: files on the disk have names of their own.

import { blobErrors } from "./errors.ts";

export interface ContainerAddress {
  readonly account: string;
  readonly container: string;
}

export interface BlobAddress extends ContainerAddress {
  readonly name: string;
  /** Absent: the blob itself. */
  readonly snapshot?: string;
}

/**
 * First path segments that this service uses itself: no account can have these names, because an
 * account is reached as `https://host/{account}/…`.
 */
export const reservedAccountNames: ReadonlySet<string> = new Set([
  "adfs",
  "api",
  "assets",
  "batch",
  "common",
  "consumers",
  "devstoreaccount1",
  "docs",
  "favicon",
  "graph",
  "health",
  "healthz",
  "login",
  "metrics",
  "organizations",
  "portal",
  "providers",
  "public",
  "readyz",
  "secrets",
  "static",
  "status",
  "subscriptions",
  "tenants",
  "vaults",
  "workspaces",
  "keys",
]);

export function isAccountName(name: string): boolean {
  return /^[a-z0-9]{3,24}$/.test(name);
}

export function checkContainerName(name: string): void {
  if (/^(?=.{3,63}$)[a-z0-9](?:-?[a-z0-9])*$/.test(name) || name === "$logs") return;
  throw blobErrors.InvalidResourceName(
    `The container name '${name.slice(0, 80)}' is invalid: 3 to 63 lower-case letters, digits and single '-'.`,
  );
}

// oxlint-disable-next-line no-control-regex -- exactly these are refused: they cannot stand in XML
const noXmlCharacters = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

export function checkBlobName(name: string): void {
  const isLengthGood = name.length >= 1 && name.length <= 1024;
  if (isLengthGood && name.isWellFormed() && !noXmlCharacters.test(name)) return;
  throw blobErrors.InvalidResourceName("The blob name is invalid: 1 to 1024 characters that XML can carry.");
}

export function lockKey({ account, container, name }: BlobAddress): string {
  return `${account}/${container}/${name}`;
}
