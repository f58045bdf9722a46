// Conditional requests: If-Match and its family, and what a failed one is called.

import { randomBytes } from "../lib/random.ts";
import { blobErrors } from "./errors.ts";

export interface Conditions {
  readonly ifMatch?: string;
  readonly ifNoneMatch?: string;
  readonly ifModifiedSince?: string;
  readonly ifUnmodifiedSince?: string;
}

export interface Validators {
  readonly etag: string;
  readonly changedAt: number;
}

export function newEtag(): string {
  return `"0x${randomBytes(8).toString("hex").toUpperCase()}"`;
}

/** `current` is undefined when there is nothing yet. */
export function checkConditions(
  conditions: Conditions,
  current: Validators | undefined,
  effect: "read" | "write",
): void {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince } = conditions;
  const since = (text: string): number => {
    const time = Date.parse(text);
    if (Number.isNaN(time))
      throw blobErrors.InvalidHeaderValue(`'${text.slice(0, 60)}' is not a date as HTTP writes it.`);
    return time;
  };
  // HTTP's dates are whole seconds.
  const changed = current === undefined ? 0 : Math.floor(current.changedAt / 1000) * 1000;
  if (ifMatch !== undefined && !(current !== undefined && matches(ifMatch, current.etag))) throw notMet("If-Match");
  if (ifUnmodifiedSince !== undefined && current !== undefined && changed > since(ifUnmodifiedSince))
    throw notMet("If-Unmodified-Since");
  if (ifNoneMatch !== undefined && current !== undefined && matches(ifNoneMatch, current.etag)) {
    if (effect === "read") throw blobErrors.NotModified("The blob is the one that the client has.");
    if (ifNoneMatch.trim() === "*") throw blobErrors.BlobAlreadyExists("The specified blob already exists.");
    throw notMet("If-None-Match");
  }
  if (ifModifiedSince !== undefined && current !== undefined && changed <= since(ifModifiedSince)) {
    if (effect === "read") throw blobErrors.NotModified("The blob is the one that the client has.");
    throw notMet("If-Modified-Since");
  }
}

function matches(header: string, etag: string): boolean {
  if (header.trim() === "*") return true;
  return header.split(",").some((one) => one.trim().replaceAll('"', "") === etag.replaceAll('"', ""));
}

function notMet(name: string): Error {
  return blobErrors.ConditionNotMet(`The condition specified using HTTP conditional header(s) is not met: ${name}.`);
}
