// Evaluates rules when they are due, in whichever process holds the lease. An evaluation looks at the
// windows that end at its due time, a little later than that, when what happened before has arrived;
// windows follow each other without gap or overlap, so each record counts in exactly one.

import { z } from "zod";
import { assertLeaseHeld, withLease, type Lease } from "../../db/leases.ts";
import type { Database } from "../../db/database.ts";
import type { RuleRunRow } from "../../db/schema/monitor.ts";
import { isErrorCode } from "../../lib/errors.ts";
import { newGuid } from "../../lib/random.ts";
import { sleep } from "../../lib/time.ts";
import { fireAlert, resolveAlert, type Writer } from "../alerts.ts";
import { follow, freshState, judge, type Measured, type RuleState } from "./evaluate.ts";
import { openKeyOf, ruleAlert } from "./rule-alert.ts";
import { evaluationQuery, keyColumns, schemaQuery } from "./rule-query.ts";
import type { Rule } from "./rule.ts";

export interface RuleRunnerOptions {
  readonly database: Database;
  readonly holder: string;
  /** The enabled rule with this key; undefined when there is none any more. */
  readonly ruleOf: (key: string) => Promise<Rule | undefined>;
  /** Asks the rule's scope; `end` is what now() means and where the rows end. */
  readonly ask: (rule: Rule, text: string, from: number, end: number, signal: AbortSignal) => Promise<RuleAnswer>;
  /** How an alert is fired; whoever knows of rules about alerts gives another way than the plain one. */
  readonly fire?: typeof fireAlert;
  readonly report: (error: unknown) => void;
}

/** Rows of a query, as the logs give them. */
export interface RuleAnswer {
  readonly tables: readonly {
    readonly columns: readonly { readonly name: string }[];
    readonly rows: readonly (readonly unknown[])[];
  }[];
}

/** What happened before the end of a window has arrived by then. */
const settleMilliseconds = 3_000;
const lookEveryMilliseconds = 1_000;
const leaseMilliseconds = 15_000;
/** Azure looks back two days at most; evaluations that were missed before that stay missed. */
const farthestBack = 2 * 86_400_000;
const dueAtOnce = 50;

/** The rule is evaluated a frequency from now, and then every frequency. */
export async function scheduleRule(trx: Writer, ruleKey: string, frequency: number, now: number): Promise<void> {
  const existing = await trx
    .selectFrom("rule_runs")
    .select("frequency")
    .where("rule_key", "=", ruleKey)
    .executeTakeFirst();
  if (existing?.frequency === frequency) return;
  const row = {
    rule_key: ruleKey,
    next_at: now + frequency,
    frequency,
    state: JSON.stringify(freshState),
    last_error: null,
  };
  await trx
    .insertInto("rule_runs")
    .values(row)
    .onConflict((conflict) => conflict.column("rule_key").doUpdateSet({ next_at: row.next_at, frequency }))
    .execute();
}

export async function unscheduleRule(trx: Writer, ruleKey: string): Promise<void> {
  await trx.deleteFrom("rule_runs").where("rule_key", "=", ruleKey).execute();
}

/** Works until `signal`. */
export async function runRules(options: RuleRunnerOptions, signal: AbortSignal): Promise<void> {
  const { database, holder, report } = options;
  const terms = { name: "monitor/rules", milliseconds: leaseMilliseconds, holder };
  while (!signal.aborted) {
    try {
      await withLease(database, terms, (lease, held) => keepEvaluating(options, lease, held), signal);
    } catch (error) {
      if (!signal.aborted) report(error);
    }
    await sleep(lookEveryMilliseconds, signal).catch(() => {});
  }
}

async function keepEvaluating(options: RuleRunnerOptions, lease: Lease, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    // What was missed is made up for without a pause.
    if ((await evaluateDue(options, lease, signal)) > 0) continue;
    await sleep(lookEveryMilliseconds, signal).catch(() => {});
  }
}

/** Every rule that is due, once; the one that is late longest first. Returns how many went well. */
async function evaluateDue(options: RuleRunnerOptions, lease: Lease, signal: AbortSignal): Promise<number> {
  const { database, report } = options;
  const due = await database.kysely
    .selectFrom("rule_runs")
    .selectAll()
    .where("next_at", "<=", database.clock.now() - settleMilliseconds)
    .orderBy("next_at")
    .limit(dueAtOnce)
    .execute();
  let done = 0;
  for (const run of due) {
    if (signal.aborted) break;
    try {
      await evaluateRun(options, run, lease, signal);
      done += 1;
    } catch (error) {
      if (!signal.aborted) report(error);
    }
  }
  return done;
}

async function evaluateRun(
  options: RuleRunnerOptions,
  run: RuleRunRow,
  lease: Lease,
  signal: AbortSignal,
): Promise<void> {
  const { database, ruleOf } = options;
  const rule = await ruleOf(run.rule_key);
  const now = database.clock.now();
  const end = Math.max(
    run.next_at,
    run.next_at + Math.ceil((now - farthestBack - run.next_at) / run.frequency) * run.frequency,
  );
  const state = JSON.parse(run.state) as RuleState;
  const asked = rule === undefined ? undefined : await measure(options, rule, end, signal);
  signal.throwIfAborted();
  await database.transaction(async (trx) => {
    await assertLeaseHeld(trx, lease);
    let next = state;
    if (rule !== undefined && asked !== undefined && !("failure" in asked)) {
      next = await apply(trx, rule, state, asked.measured, end, options.fire ?? fireAlert);
    }
    const failure = asked !== undefined && "failure" in asked ? asked.failure.slice(0, 2000) : null;
    await trx
      .updateTable("rule_runs")
      .set({ next_at: end + run.frequency, state: JSON.stringify(next), last_error: failure })
      .where("rule_key", "=", run.rule_key)
      .where("next_at", "=", run.next_at)
      .execute();
  });
}

async function apply(
  trx: Writer,
  rule: Rule,
  state: RuleState,
  measured: readonly Measured[],
  end: number,
  fire: typeof fireAlert,
): Promise<RuleState> {
  const correlationId = newGuid();
  const outcome = follow(rule, state, judge(rule.criterion, measured), end);
  for (const combination of outcome.fire) {
    await fire(trx, ruleAlert(rule, combination, end, outcome.isMuted, correlationId));
  }
  for (const keys of outcome.resolve) await resolveAlert(trx, openKeyOf(rule, keys), correlationId);
  return outcome.state;
}

const rowsSchema = z.array(z.array(z.union([z.string(), z.number(), z.bigint(), z.boolean(), z.null()])));

/** A query that fails (no such column yet, say) makes no alert and is remembered. */
async function measure(
  { ask }: RuleRunnerOptions,
  rule: Rule,
  end: number,
  signal: AbortSignal,
): Promise<{ readonly measured: Measured[] } | { readonly failure: string }> {
  const { criterion, windowSize } = rule;
  const from = end - Math.max(rule.timeRange, windowSize * criterion.periods);
  try {
    const columns = await ask(rule, schemaQuery(criterion), from, end, signal);
    const hasTime = (columns.tables[0]?.rows ?? []).some(([name]) => name === "TimeGenerated");
    const result = await ask(rule, evaluationQuery(criterion, windowSize, hasTime), from, end, signal);
    const count = keyColumns(criterion).length;
    const table = result.tables[0];
    const order = ["HoldfastPeriod", ...Array.from({ length: count }, (_, at) => `HoldfastKey${at}`), "HoldfastValue"];
    const places = order.map((name) => table?.columns.findIndex((column) => column.name === name) ?? -1);
    const measured = rowsSchema.parse(table?.rows ?? []).map((row): Measured => {
      const [period, ...rest] = places.map((at) => row[at] ?? null);
      const value = rest.at(-1);
      return {
        period: Number(period),
        keys: rest.slice(0, count).map(String),
        value: value === null || value === undefined ? null : Number(value),
      };
    });
    return { measured };
  } catch (error) {
    if (signal.aborted || isErrorCode(error, "LogsUnavailable")) throw error;
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}
