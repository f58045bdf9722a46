// From the request line to path segments. Real clients send doubled and trailing slashes, percent
// escapes and any case; nothing behind this module sees those again.

import { armErrors } from "./errors.ts";

const maxPathLength = 8192;
const maxSegmentLength = 1024;

/** Decoded, non-empty segments of a raw request path (without its query). */
export function pathSegments(rawPath: string): string[] {
  if (rawPath.length > maxPathLength) {
    throw armErrors.InvalidRequestUri(
      `The request path is ${rawPath.length} characters long; at most ${maxPathLength} are allowed.`,
    );
  }
  const segments: string[] = [];
  for (const raw of rawPath.split("/")) {
    if (raw === "") continue;
    segments.push(decodeSegment(raw));
  }
  return segments;
}

function decodeSegment(raw: string): string {
  let segment: string;
  try {
    segment = raw.includes("%") ? decodeURIComponent(raw) : raw;
  } catch (cause) {
    throw armErrors.InvalidRequestUri(`The path segment '${raw}' is not valid percent-encoding.`, { cause });
  }
  if (segment === "." || segment === ".." || hasForbiddenCharacter(segment)) {
    throw armErrors.InvalidRequestUri(
      `The path segment '${JSON.stringify(segment).slice(1, -1)}' is not allowed: a name holds no slash, backslash or control character and is neither '.' nor '..'.`,
    );
  }
  if (segment.length > maxSegmentLength) {
    throw armErrors.InvalidRequestUri(
      `A path segment is ${segment.length} characters long; at most ${maxSegmentLength} are allowed.`,
    );
  }
  return segment;
}

function hasForbiddenCharacter(segment: string): boolean {
  return /[/\\\p{Cc}]/u.test(segment);
}
