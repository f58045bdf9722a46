import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { compileActions } from "./permission-pattern.ts";

/** The oracle: what the documentation says, word for word, as a regular expression. */
function covers(pattern: string, action: string): boolean {
  const expression = pattern
    .split("*")
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
    .join("[^]*");
  return new RegExp(`^${expression}$`, "i").test(action);
}

const word = fc.constantFrom("read", "write", "a", "aa", "ab", "b", "Vaults", "*", "a*", "*b", "");
const pattern = fc.array(word, { maxLength: 6 }).map((words) => words.join("/"));
const action = fc
  .array(fc.constantFrom("read", "WRITE", "a", "aa", "ab", "aab", "vaults", "b", "ba"), { maxLength: 7 })
  .map((words) => words.join("/"));

test("a pattern covers exactly what the regular expression of its wildcards covers", () => {
  const runs = process.env["HOLDFAST_TEST_LONG"] === "1" ? 2_000_000 : 20_000;
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 4 }), action, (patterns, asked) => {
      const expected = patterns.some((one) => covers(one, asked));
      assert.equal(compileActions(patterns).has(asked.toLowerCase()), expected, `${patterns.join(" ")} ? ${asked}`);
    }),
    { numRuns: runs },
  );
});

const cases: readonly (readonly [string, string, boolean])[] = [
  ["*", "Microsoft.Compute/virtualMachines/delete", true],
  ["*/read", "Microsoft.Compute/virtualMachines/extensions/read", true],
  ["*/read", "Microsoft.Compute/virtualMachines/readable", false],
  ["Microsoft.Authorization/*/Write", "microsoft.authorization/roleAssignments/write", true],
  ["Microsoft.Compute/virtualMachines/*", "Microsoft.Compute/virtualMachines/restart/action", true],
  ["Microsoft.Compute/virtualMachines/*", "Microsoft.Compute/virtualMachineScaleSets/read", false],
  ["Microsoft.Compute/*/read", "Microsoft.Compute/read", false],
  ["Microsoft.Compute/disks/read", "Microsoft.Compute/disks/readX", false],
  ["ab*ba", "aba", false],
];
for (const [text, asked, expected] of cases) {
  test(`${text} ${expected ? "covers" : "does not cover"} ${asked}`, () => {
    assert.equal(compileActions([text]).has(asked.toLowerCase()), expected);
  });
}

test("a hostile pattern costs no more than its length times the action's", () => {
  const set = compileActions(["*a".repeat(2000) + "*b"]);
  const before = process.cpuUsage();
  assert.equal(set.has("a".repeat(4000)), false);
  assert.ok(process.cpuUsage(before).user < 2_000_000);
});
