// ETags: `If-Match` guards an update, `If-None-Match: *` a creation.

import { randomBytes } from "../lib/random.ts";
import { armErrors } from "./errors.ts";

export function newEtag(): string {
  return `W/"${randomBytes(8).toString("hex")}"`;
}

export interface Preconditions {
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
}

export function preconditionsOf(request: { header(name: string): string | undefined }): Preconditions {
  return { ifMatch: request.header("if-match"), ifNoneMatch: request.header("if-none-match") };
}

/** `current` is the stored ETag, undefined when the resource does not exist. */
export function checkPreconditions(conditions: Preconditions, current: string | undefined, id: string): void {
  const { ifMatch, ifNoneMatch } = conditions;
  if (ifMatch !== undefined && !listed(ifMatch, current)) {
    throw armErrors.PreconditionFailed(
      current === undefined
        ? `If-Match is '${ifMatch}' but ${id} does not exist.`
        : `If-Match is '${ifMatch}' but the ETag of ${id} is '${current}'. Read it again, then repeat the change.`,
      { target: "If-Match" },
    );
  }
  if (ifNoneMatch !== undefined && current !== undefined && listed(ifNoneMatch, current)) {
    throw armErrors.PreconditionFailed(`If-None-Match is '${ifNoneMatch}' but ${id} exists.`, {
      target: "If-None-Match",
    });
  }
}

function listed(header: string, current: string | undefined): boolean {
  if (current === undefined) return false;
  if (header.trim() === "*") return true;
  const bare = (tag: string): string => tag.trim().replace(/^W\//, "").replaceAll('"', "");
  return header.split(",").some((tag) => bare(tag) === bare(current));
}
