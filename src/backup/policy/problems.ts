// Everything that is wrong with a policy, found in one go: each entry names the field on the wire,
// the value seen and what to write instead.

import type { HoldfastError } from "../../lib/errors.ts";
import { policyErrors } from "./errors.ts";

export interface Problem {
  /** `properties.schedulePolicy.scheduleRunTimes` */
  readonly field: string;
  readonly seen: unknown;
  readonly remedy: string;
}

const mostShown = 50;

export function invalidPolicy(problems: readonly Problem[]): HoldfastError {
  const details = problems
    .slice(0, mostShown)
    .map(({ field, seen, remedy }) =>
      policyErrors.InvalidPolicyField(`'${field}' is ${show(seen)}.`, { target: field, remedy }),
    );
  const first = details[0];
  return policyErrors.BMSUserErrorInvalidPolicyInput(
    `Input for create or update policy is not in proper format. ${first?.sentence ?? ""}`.trim(),
    { target: first?.target, details },
  );
}

function show(seen: unknown): string {
  if (seen === undefined || seen === null) return "missing";
  return (JSON.stringify(seen) ?? String(seen)).slice(0, 120);
}
