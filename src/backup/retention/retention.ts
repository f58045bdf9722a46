// How long each point of an item is kept, and why: a pure function of the policy as it is now, the points
// and the time. So every change of a policy holds for the points that are there already. What is always
// true: a point that several rules hold is kept by the longest; the newest point that can be restored is
// never deleted; a point that somebody made by hand goes at its own time and no other.

import { durationDays, ruleNames, type Policy, type RuleName } from "../policy/policy.ts";
import { longTermOf, marksOf, type PointMarks } from "./marks.ts";

export interface RetainedPoint {
  readonly id: string;
  readonly time: number;
  readonly origin: ScheduledOrigin | OnDemandOrigin;
  /** It cannot be restored: it never counts as the newest point. */
  readonly broken?: boolean;
}

export interface ScheduledOrigin {
  readonly kind: "scheduled";
  /** When its run was due. */
  readonly dueAt: number;
  /** As `marksOf` said when it was made; absent for points of which only the time is known. */
  readonly marks: PointMarks | undefined;
}

export interface OnDemandOrigin {
  readonly kind: "onDemand";
  /** Undefined: until somebody deletes it. */
  readonly expiresAt: number | undefined;
}

export type HoldingRule = RuleName | "instant" | "onDemand";

export interface Verdict<Point> {
  readonly point: Point;
  /** Which rule holds it longest. */
  readonly rule: HoldingRule;
  /** Undefined: forever. May lie in the past: then it goes, unless it is the newest. */
  readonly keepUntil: number | undefined;
  /** When its copy in the snapshot tier may go, provided that the vault has it. */
  readonly instantUntil: number;
  readonly isNewest: boolean;
  readonly isDeleted: boolean;
}

export interface RetentionPlan<Point> {
  /** One for each point, in the order in which they were given. */
  readonly verdicts: readonly Verdict<Point>[];
  /** Oldest first. */
  readonly deletions: readonly Point[];
}

const dayMilliseconds = 86_400_000;

/** Deletes nothing: what it answers is the dry run, and what the cleaner carries out. */
export function planRetention<Point extends RetainedPoint>(
  policy: Policy,
  points: readonly Point[],
  now: number,
): RetentionPlan<Point> {
  const newest = newestOf(points);
  const marked = points.map((point) => ({ point, marks: currentMarks(policy, point) }));
  const lastOfDay = lastCompetitors(marked);
  const instantDays = policy.management === "AzureIaasVM" ? policy.instantDays : 0;
  const verdicts = marked.map(({ point, marks }): Verdict<Point> => {
    const instantUntil = point.time + instantDays * dayMilliseconds;
    const isNewest = point === newest;
    const end = endOf(policy, point, marks, lastOfDay, instantUntil);
    const isOver = end.keepUntil !== undefined && end.keepUntil <= now;
    return { point, ...end, instantUntil, isNewest, isDeleted: isOver && !isNewest };
  });
  const deletions = verdicts
    .filter(({ isDeleted }) => isDeleted)
    .map(({ point }) => point)
    .sort((a, b) => a.time - b.time);
  return { verdicts, deletions };
}

function endOf(
  policy: Policy,
  point: RetainedPoint,
  marks: PointMarks | undefined,
  lastOfDay: ReadonlySet<RetainedPoint>,
  instantUntil: number,
): { rule: HoldingRule; keepUntil: number | undefined } {
  if (point.origin.kind === "onDemand") return { rule: "onDemand", keepUntil: point.origin.expiresAt };
  const retention = longTermOf(policy);
  let rule: HoldingRule = "instant";
  let keepUntil = instantUntil;
  for (const name of ruleNames) {
    const own = retention?.[name];
    if (own === undefined || marks?.rules.includes(name) !== true) continue;
    if (marks.competes && !lastOfDay.has(point)) continue;
    const until = point.time + durationDays(own.duration) * dayMilliseconds;
    if (until >= keepUntil) [rule, keepUntil] = [name, until];
  }
  return { rule, keepUntil };
}

/** What it was marked with, and what the policy of today would mark it with: rules are only ever added. */
function currentMarks(policy: Policy, { origin }: RetainedPoint): PointMarks | undefined {
  if (origin.kind === "onDemand") return undefined;
  const today = marksOf(policy, origin.dueAt);
  const made = origin.marks;
  if (made === undefined) return today;
  return { ...made, rules: ruleNames.filter((name) => made.rules.includes(name) || today.rules.includes(name)) };
}

/** Of the points that compete for one day, the last that can be restored. */
function lastCompetitors<Point extends RetainedPoint>(
  marked: readonly { readonly point: Point; readonly marks: PointMarks | undefined }[],
): ReadonlySet<RetainedPoint> {
  const lastByDay = new Map<number, Point>();
  for (const { point, marks } of marked) {
    if (marks?.competes !== true) continue;
    const best = lastByDay.get(marks.day);
    if (best === undefined || isBetter(point, best)) lastByDay.set(marks.day, point);
  }
  return new Set(lastByDay.values());
}

function newestOf<Point extends RetainedPoint>(points: readonly Point[]): Point | undefined {
  let newest: Point | undefined;
  for (const point of points) if (newest === undefined || isBetter(point, newest)) newest = point;
  return newest;
}

/** One that can be restored before one that cannot, then the later one. */
function isBetter(point: RetainedPoint, than: RetainedPoint): boolean {
  const isWhole = point.broken !== true;
  if (isWhole !== (than.broken !== true)) return isWhole;
  return point.time > than.time;
}
