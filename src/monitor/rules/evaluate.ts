// What an evaluation's numbers mean: for each combination of dimensions whether the condition is met,
// and what follows from that and from the evaluations before. Pure.

import { operators, type Criterion, type Rule } from "./rule.ts";

/** One number of one period; period 0 is the latest. */
export interface Measured {
  readonly period: number;
  readonly keys: readonly string[];
  readonly value: number | null;
}

export interface Combination {
  readonly keys: readonly string[];
  readonly isMet: boolean;
  /** Of the latest period that broke the threshold, or of the latest at all. */
  readonly value: number | null;
}

export function judge(criterion: Criterion, measured: readonly Measured[]): Combination[] {
  const groups = Map.groupBy(measured, ({ keys }) => JSON.stringify(keys));
  const hasKeys = criterion.dimensions.length > 0 || criterion.resourceIdColumn !== undefined;
  // Without dimensions there is always one combination, with or without rows.
  if (groups.size === 0 && !hasKeys) groups.set("[]", []);
  return [...groups].map(([key, numbers]) => {
    const byPeriod = new Map(numbers.map(({ period, value }) => [period, value]));
    const values = Array.from({ length: criterion.periods }, (_, period) => valueIn(criterion, byPeriod, period));
    const failing = values.filter(
      (value) => value !== null && operators[criterion.operator](value, criterion.threshold),
    );
    return {
      keys: JSON.parse(key) as string[],
      isMet: failing.length >= criterion.minFailing,
      value: failing[0] ?? values[0] ?? null,
    };
  });
}

/** Nothing to count is zero; the mean of nothing is nothing. */
function valueIn(criterion: Criterion, byPeriod: ReadonlyMap<number, number | null>, period: number): number | null {
  return byPeriod.get(period) ?? (criterion.aggregation === "Count" ? 0 : null);
}

/** What one evaluation tells the next. */
export interface RuleState {
  /** For each open combination, how many evaluations in a row did not meet the condition. */
  readonly unmet: Readonly<Record<string, number>>;
  readonly mutedUntil: number;
}

export const freshState: RuleState = { unmet: {}, mutedUntil: 0 };

export interface Outcome {
  readonly fire: readonly Combination[];
  /** Keys of combinations, as JSON. */
  readonly resolve: readonly string[];
  readonly isMuted: boolean;
  readonly state: RuleState;
}

/** A stateful rule has at most this many new alerts in one evaluation; a stateless one more. Azure's bounds. */
const mostStateful = 300;
const mostStateless = 6000;

export function follow(rule: Rule, state: RuleState, combinations: readonly Combination[], at: number): Outcome {
  const met = combinations.filter(({ isMet }) => isMet);
  if (!rule.isStateful) {
    const isMuted = at < state.mutedUntil;
    const mutedUntil = met.length > 0 && !isMuted && rule.muteFor > 0 ? at + rule.muteFor : state.mutedUntil;
    return { fire: met.slice(0, mostStateless), resolve: [], isMuted, state: { unmet: {}, mutedUntil } };
  }
  const metKeys = new Set(met.map(({ keys }) => JSON.stringify(keys)));
  const fire = met.filter(({ keys }) => state.unmet[JSON.stringify(keys)] === undefined).slice(0, mostStateful);
  const unmet: Record<string, number> = {};
  const resolve: string[] = [];
  for (const [key, count] of Object.entries(state.unmet)) {
    const next = metKeys.has(key) ? 0 : count + 1;
    if (next >= periodsToResolve(rule.frequency)) resolve.push(key);
    else unmet[key] = next;
  }
  for (const { keys } of fire) unmet[JSON.stringify(keys)] = 0;
  return { fire, resolve, isMuted: false, state: { unmet, mutedUntil: 0 } };
}

const minute = 60_000;

/** How many evaluations in a row must be quiet before a stateful alert is resolved. */
export function periodsToResolve(frequency: number): number {
  if (frequency <= minute) return 10;
  if (frequency <= 15 * minute) return 3;
  return frequency <= 11 * 60 * minute ? 2 : 1;
}
