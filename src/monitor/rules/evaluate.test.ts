import assert from "node:assert/strict";
import { test } from "node:test";
import { follow, freshState, judge, periodsToResolve, type Combination, type RuleState } from "./evaluate.ts";
import type { Criterion, Rule } from "./rule.ts";

const minute = 60_000;
const criterion: Criterion = {
  query: "T",
  aggregation: "Count",
  measureColumn: undefined,
  resourceIdColumn: undefined,
  dimensions: [],
  operator: "GreaterThan",
  threshold: 0,
  periods: 1,
  minFailing: 1,
};
const rule: Rule = {
  id: "/rules/r",
  name: "r",
  description: "",
  severity: "Sev1",
  scope: "/workspaces/w",
  frequency: 5 * minute,
  windowSize: 5 * minute,
  timeRange: 5 * minute,
  criterion,
  isStateful: false,
  muteFor: 0,
  actions: { actionGroups: [], customProperties: {} },
  isLegacy: false,
};
const met = (keys: string[] = []): Combination => ({ keys, isMet: true, value: 1 });
const unmet = (keys: string[] = []): Combination => ({ keys, isMet: false, value: 0 });

test("nothing to count is zero, so a rule for silence fires on it", () => {
  assert.deepEqual(judge(criterion, []), [{ keys: [], isMet: false, value: 0 }]);
  const silence = { ...criterion, operator: "LessThan", threshold: 1 } as const;
  assert.equal(judge(silence, [])[0]?.isMet, true);
  assert.equal(judge({ ...silence, aggregation: "Average" }, [])[0]?.isMet, false);
});

test("as many of the last periods must fail as the rule says", () => {
  const twoOfThree = { ...criterion, periods: 3, minFailing: 2 };
  const at = (...periods: number[]) => periods.map((period) => ({ period, keys: [], value: 1 }));
  assert.equal(judge(twoOfThree, at(0))[0]?.isMet, false);
  assert.equal(judge(twoOfThree, at(0, 2))[0]?.isMet, true);
});

test("each combination of dimensions is judged alone", () => {
  const perVault = {
    ...criterion,
    threshold: 1,
    dimensions: [{ name: "v", operator: "Include", values: ["*"] }],
  } as const;
  assert.deepEqual(
    judge(perVault, [
      { period: 0, keys: ["a"], value: 2 },
      { period: 0, keys: ["b"], value: 1 },
    ]).map(({ keys, isMet }) => [keys, isMet]),
    [
      [["a"], true],
      [["b"], false],
    ],
  );
});

test("a stateless rule makes an alert at each evaluation, and mutes what follows for a while", () => {
  const muting = { ...rule, muteFor: 12 * minute };
  let state: RuleState = freshState;
  const muted = [0, 5, 10, 15].map((at) => {
    const outcome = follow(muting, state, [met()], at * minute);
    state = outcome.state;
    assert.equal(outcome.fire.length, 1);
    return outcome.isMuted;
  });
  assert.deepEqual(muted, [false, true, true, false]);
});

test("a stateful rule has one open alert for each combination and resolves it after quiet evaluations", () => {
  const stateful = { ...rule, isStateful: true };
  let state: RuleState = freshState;
  const step = (combinations: Combination[]) => {
    const outcome = follow(stateful, state, combinations, 0);
    state = outcome.state;
    return [outcome.fire.map(({ keys }) => keys[0]), outcome.resolve];
  };
  assert.deepEqual(step([met(["a"])]), [["a"], []]);
  assert.deepEqual(step([met(["a"]), met(["b"])]), [["b"], []]);
  assert.deepEqual(step([unmet(["a"]), met(["b"])]), [[], []]);
  assert.deepEqual(step([met(["a"]), met(["b"])]), [[], []]);
  assert.deepEqual(step([met(["b"])]), [[], []]);
  assert.deepEqual(step([met(["b"])]), [[], []]);
  assert.deepEqual(step([met(["b"])]), [[], ['["a"]']]);
  assert.deepEqual(step([met(["a"])]), [["a"], []]);
});

test("how long it must be quiet depends on the frequency", () => {
  assert.deepEqual(
    [1, 5, 15, 30, 660, 720].map((minutes) => periodsToResolve(minutes * minute)),
    [10, 3, 3, 2, 2, 1],
  );
});
