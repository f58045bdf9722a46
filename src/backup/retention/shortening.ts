// Whether a new policy would let any point go earlier than the old one: what an immutable vault refuses,
// and what needs the resource guard's consent. Rules are compared one by one. Days and times may move
// freely: points keep the marks that they were made with.

import { durationDays, ruleNames, type Policy } from "../policy/policy.ts";
import { longTermOf } from "./marks.ts";

export interface Shortening {
  /** On the wire: `properties.retentionPolicy.dailySchedule.retentionDuration`. */
  readonly field: string;
  readonly before: string;
  readonly after: string;
}

export function shortenings(before: Policy, after: Policy): Shortening[] {
  const found: Shortening[] = [];
  const [old, fresh] = [longTermOf(before), longTermOf(after)];
  const full = after.management === "AzureWorkload" ? after.parts.findIndex(({ type }) => type === "Full") : -1;
  const at = full === -1 ? "properties.retentionPolicy" : `properties.subProtectionPolicy.${full}.retentionPolicy`;
  for (const name of ruleNames) {
    const [was, is] = [old?.[name]?.duration, fresh?.[name]?.duration];
    if (was === undefined) continue;
    if (is !== undefined && durationDays(is) >= durationDays(was)) continue;
    found.push({
      field: `${at}.${name}Schedule.retentionDuration`,
      before: `${was.count} ${was.unit}`,
      after: is === undefined ? "none" : `${is.count} ${is.unit}`,
    });
  }
  return [...found, ...shorterSimple(before, after)];
}

/** Logs and differentials of databases. */
function shorterSimple(before: Policy, after: Policy): Shortening[] {
  if (before.management !== "AzureWorkload" || after.management !== "AzureWorkload") return [];
  return before.parts.flatMap(({ type, retention }): Shortening[] => {
    if (retention.kind !== "simple") return [];
    const now = after.parts.find((part) => part.type === type)?.retention;
    const was = retention.duration;
    if (now?.kind === "simple" && durationDays(now.duration) >= durationDays(was)) return [];
    return [
      {
        field: `properties.subProtectionPolicy.${type}.retentionPolicy.retentionDuration`,
        before: `${was.count} ${was.unit}`,
        after: now?.kind === "simple" ? `${now.duration.count} ${now.duration.unit}` : "none",
      },
    ];
  });
}
