// scan against an interpreter of its own that is written from the service's description of the operator,
// and over as many rows as a day of logs has.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openTestEngine, type TestEngine } from "./testing/engine.ts";

let holder: TestEngine;

before(async () => {
  holder = await openTestEngine();
});

after(() => holder[Symbol.asyncDispose]());

const rows = async (text: string): Promise<unknown[][]> =>
  (await holder.engine.query(text)).tables[0]!.rows.map((row) =>
    row.map((value) => (typeof value === "bigint" ? Number(value) : value)),
  );

interface Row {
  readonly g: number;
  readonly n: number;
  readonly e: number;
}

interface Record_ extends Row {
  readonly s: number;
}

/** What each step of a sequence matched last, by step; a step that matched nothing has undefined. */
type Known = readonly (Record_ | undefined)[];

interface Step {
  readonly output: "all" | "last" | "none";
  readonly condition: string;
  readonly assignment: string;
  readonly holds: (row: Row, known: Known) => boolean;
  readonly assigns: (row: Row, known: Known) => number;
}

type Given = readonly [g: number, n: number, s: number, m: number];

/** Each row goes from the last step to the first; a step holds the path of its own sequence. */
function interpret(input: readonly Row[], steps: readonly Step[]): Given[] {
  const given: Given[] = [];
  const paths: ({ known: Known; id: number } | undefined)[] = steps.map(() => undefined);
  const pending: (Given | undefined)[] = steps.map(() => undefined);
  let sequences = 0;
  for (const row of input) {
    for (let k = steps.length - 1; k >= 0; k -= 1) {
      const step = steps[k]!;
      const earlier = paths[k - 1];
      const own = paths[k];
      let source: { known: Known; id: number } | undefined;
      let begun = false;
      if (earlier !== undefined && step.holds(row, earlier.known)) {
        source = earlier;
        begun = true;
        paths[k - 1] = undefined;
      } else if ((k === 0 || own !== undefined) && step.holds(row, own?.known ?? [])) {
        begun = own === undefined;
        source = own ?? { known: [], id: sequences };
        if (begun) sequences += 1;
      }
      if (source === undefined) continue;
      const matched = { ...row, s: step.assigns(row, source.known) };
      const known: Known = [...Array.from({ length: k }, (_, index) => source.known[index]), matched];
      paths[k] = { known, id: source.id };
      const out: Given = [row.g, row.n, matched.s, source.id];
      if (step.output === "all") given.push(out);
      if (step.output !== "last") continue;
      if (begun && pending[k] !== undefined) given.push(pending[k]!);
      pending[k] = out;
    }
  }
  return [...given, ...pending.filter((item) => item !== undefined)];
}

/** Numbers that look like chance and are the same each time. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A root of remembered values is nothing that the one pass computes. */
function randomStep(k: number, pick: (below: number) => number, recursive: boolean): Step {
  const wanted = pick(4);
  const reach = 2 + pick(6);
  const about = pick(k + 1);
  const usesState = k > 0 && pick(2) === 0;
  const before = k === 0 ? 0 : pick(k);
  const isEvent =
    pick(3) === 0
      ? { text: `e != ${wanted}`, holds: (e: number) => e !== wanted }
      : { text: `e == ${wanted}`, holds: (e: number) => e === wanted };
  const state = `s${about}.s`;
  const held = recursive ? `tolong(sqrt(${state} * ${state}))` : state;
  return {
    output: (["all", "last", "none"] as const)[pick(4) % 3]!,
    condition: usesState ? `${isEvent.text} and n - s${before}.n <= ${reach}` : isEvent.text,
    holds: (row, known) => {
      const last = known[before];
      return isEvent.holds(row.e) && (!usesState || (last !== undefined && row.n - last.n <= reach));
    },
    assignment: `iff(${held} > 90 or isnull(${held}), n, ${held} + e + ${k})`,
    assigns: (row, known) => {
      const s = known[about]?.s ?? 0;
      return s > 90 ? row.n : s + row.e + k;
    },
  };
}

async function compareOne(seed: number, recursive: boolean): Promise<void> {
  const pick = seeded(seed);
  const grouped = pick(2) === 0;
  const input = Array.from({ length: 30 }, (_, n): Row => ({ g: grouped ? pick(3) : 0, n, e: pick(4) }));
  const steps = Array.from({ length: 1 + pick(4) }, (_, k) => randomStep(k, pick, recursive));
  const texts = steps.map(
    (step, k) => `step s${k} output=${step.output}: ${step.condition} => s = ${step.assignment};`,
  );
  const values = input.map(({ g, n, e }) => `${g}, ${n}, ${e}`).join(", ");
  const clause = grouped ? "partition by g" : "with_match_id = m";
  const query = `datatable(g:long, n:long, e:long)[${values}] | sort by n asc | scan ${clause} declare (s:long = 0) with (${texts.join(" ")})`;
  const groups = grouped ? [0, 1, 2] : [0];
  const wanted = groups.flatMap((group) =>
    interpret(
      input.filter(({ g }) => g === group),
      steps,
    ),
  );
  const shown = grouped ? "g, n, s" : "g, n, s, m";
  const found = await rows(`${query} | project ${shown}`);
  const cut = wanted.map((row) => (grouped ? row.slice(0, 3) : [...row]));
  const order = (list: readonly unknown[][]): string[] => list.map((row) => row.join()).toSorted();
  assert.deepEqual(order(found), order(cut), query);
}

describe("scan", () => {
  for (const [form, recursive] of [
    ["one pass", false],
    ["a recursive query", true],
  ] as const) {
    test(`gives in ${form} what an interpreter of its description gives`, async () => {
      const [sql] = await holder.engine.explain(
        `range n from 1 to 2 step 1 | scan declare (s:long) with (step a: true => s = ${recursive ? "tolong(sqrt(a.s))" : "a.s"};)`,
      );
      assert.equal(sql!.includes("kql_scan_walk"), !recursive);
      const count = process.env["HOLDFAST_TEST_LONG"] === "1" ? 1000 : recursive ? 8 : 24;
      for (let seed = 1; seed <= count; seed += 1) await compareOne(seed, recursive);
    });
  }

  test("goes over 100,000 rows of one group", async () => {
    const steps = "step a: n % 100 == 1 => s = n; step b: n % 100 != 1 => s = b.s + n;";
    const query = `range n from 1 to 100000 step 1 | sort by n asc | scan with_match_id = m declare (s:long = 0) with (${steps}) | summarize count(), max(m), sumif(n, n % 100 == 1)`;
    assert.deepEqual(await rows(query), [[100_000, 999, 49_951_000]]);
  });

  test("carries values of every type from row to row", async () => {
    const query = `datatable(n:long, t:datetime, r:real, d:dynamic, f:bool, g:guid)[
      1, datetime(2024-01-01 00:00:00.0000001), real(nan), dynamic({"a":[1]}), true, guid(74be27de-1e4e-49d9-b579-fe0b331d3642),
      2, datetime(null), 0.1, dynamic(null), bool(null), guid(null)]
      | sort by n asc | scan declare (t1:datetime, r1:real, d1:dynamic, f1:bool, g1:guid, c1:decimal = decimal(1.25)) with
        (step a: true => t1 = a.t, r1 = a.r, d1 = a.d, f1 = a.f, g1 = a.g, c1 = a.c1;)
      | where n == 2 | project t1 == datetime(2024-01-01 00:00:00.0000001), isnan(r1), tostring(d1), f1, tostring(g1), c1 == decimal(1.25)`;
    assert.deepEqual(await rows(query), [
      [true, true, '{"a":[1]}', true, "74be27de-1e4e-49d9-b579-fe0b331d3642", true],
    ]);
  });
});
