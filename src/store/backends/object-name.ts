// Names are the same in every backend, so that a vault can be copied from any of them to any other.

import { objectErrors } from "./errors.ts";

const segment = "[a-z0-9_-][a-z0-9._-]{0,199}";
const namePattern = new RegExp(`^${segment}(/${segment})*$`);
const prefixPattern = new RegExp(`^(${segment}/)*(${segment})?$`);
const longest = 700;

/** No segment begins with a dot: `.` and `..` cannot occur, and backends keep their own files there. */
export function isObjectName(name: string): boolean {
  return name.length <= longest && namePattern.test(name);
}

export function checkObjectName(name: string): void {
  if (isObjectName(name)) return;
  throw objectErrors.ObjectNameInvalid(
    `The object name ${JSON.stringify(name.slice(0, 120))} is not made of [a-z0-9._-] segments of at most 200 characters (${longest} in all).`,
  );
}

export function checkObjectPrefix(prefix: string): void {
  if (prefix.length <= longest && prefixPattern.test(prefix)) return;
  throw objectErrors.ObjectNameInvalid(
    `The prefix ${JSON.stringify(prefix.slice(0, 120))} cannot begin an object name.`,
  );
}
