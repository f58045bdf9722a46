// What no expression gets away with: mistakes, bombs, any text at all.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { evaluateText } from "../expression/evaluate.ts";
import { ExpressionError } from "../expression/expression-error.ts";
import { RuntimeValueNeeded } from "../expression/scope.ts";
import { evaluate, plan } from "../testing/expression-scope.ts";
import { functionNames } from "./table.ts";

const refusals: readonly (readonly [expression: string, message: RegExp])[] = [
  ["nosuch('a')", /The template function 'nosuch' is not valid/],
  ["contoso.nosuch('a')", /'contoso.nosuch' is not valid/],
  ["if(true(), fail('this is why'), 1)", /this is why/],
  ["concat('a'", /expected token 'RightParenthesis' and actual 'EndOfData' at position '10'/],
  ["concat('a)", /the string that begins here does not end at position '7'/],
  ["toLower()", /'toLower': function requires 1 argument\(s\) while 0 were provided/],
  [
    "toLower(1)",
    /'toLower' expects its parameter at position 1 to be a string. The provided value is of type 'Integer'/,
  ],
  ["parameters('nosuch')", /The template parameter 'nosuch' is not found/],
  ["resourceGroup().nosuch", /property 'nosuch' doesn't exist, available properties are 'id, name, location, tags'/],
  ["createArray(1)[3]", /array index '3' is out of bounds/],
  [
    "substring('abcdefghij', 0, 11)",
    /The index parameter: '0', the length parameter: '11', the length of the string parameter: '10'/i,
  ],
  ["div(1, 0)", /divisor must not be zero/],
  ["utcNow()", /only be used in the default value of a parameter/],
  ["newGuid()", /only be used in the default value of a parameter/],
  ["managementGroup()", /not deployed to a management group/],
  ["reference('x')", /'reference' is not expected at this location/],
  ["copyIndex()", /'copyIndex' is not expected at this location/],
  ["resourceId('Microsoft.X/y/z', 'n')", /requires '2' resource name argument\(s\), '1' were provided/],
  ["range(0, 10001)", /between 0 and 10000/],
  ["lambda('x', 1)", /'lambda' is not expected at this location/],
];

test("a mistake is told with the function and what was seen", () => {
  for (const [expression, message] of refusals) {
    assert.throws(
      () => evaluate(expression),
      (error) => error instanceof ExpressionError && message.test(error.message),
      expression,
    );
  }
});

test("an escaped bracket and a text without closing bracket are no expressions", () => {
  assert.equal(evaluateText("[[not evaluated]", plan.context), "[not evaluated]");
  assert.equal(evaluateText("[open", plan.context), "[open");
});

test("string bombs end quickly in a clear error", () => {
  const bombs = [
    "reduce(range(0, 60), 'a', lambda('s', 'x', concat(lambdaVariables('s'), lambdaVariables('s'))))",
    "reduce(range(0, 60), createArray(1), lambda('s', 'x', createArray(lambdaVariables('s'), lambdaVariables('s'))))",
    "reduce(range(0, 10000), createArray(), lambda('s', 'x', createArray(lambdaVariables('s'))))",
    "reduce(range(0, 60), 'aa', lambda('s', 'x', replace(lambdaVariables('s'), 'a', 'aaaa')))",
    "padLeft('a', 2000000000)",
    "format('{0,999999999}', 1)",
    "map(range(0, 10000), lambda('a', map(range(0, 10000), lambda('b', 1))))",
    "join(map(range(0, 10000), lambda('a', padLeft('', 10000, 'x'))), '')",
    `${"array(".repeat(300)}1${")".repeat(300)}`,
  ];
  for (const bomb of bombs) {
    const began = process.cpuUsage();
    assert.throws(() => evaluate(bomb), ExpressionError, bomb);
    assert.ok(process.cpuUsage(began).user < 20_000_000, bomb);
  }
});

test("any text between brackets evaluates or is refused by name", () => {
  const names = fc.constantFrom(...functionNames);
  const atom = fc.oneof(
    fc.integer({ min: -5, max: 300 }).map(String),
    fc.constantFrom(
      "''",
      "'a'",
      "'x/y'",
      "json('{}')",
      "true()",
      "createArray(1,'a')",
      "'2020-01-01T00:00:00Z'",
      "null()",
    ),
  );
  const call = fc.letrec<{ expression: string }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 3 },
      atom,
      fc
        .tuple(names, fc.array(tie("expression"), { maxLength: 4 }))
        .map(([name, args]) => `${name}(${args.join(",")})`),
      fc.tuple(tie("expression"), fc.constantFrom(".a", "[0]", "['key']")).map(([target, suffix]) => target + suffix),
    ),
  })).expression;
  const runs = process.env["HOLDFAST_TEST_LONG"] === "1" ? 50_000 : 1_500;
  fc.assert(
    fc.property(fc.oneof(call, fc.string()), (text) => {
      try {
        evaluate(text);
      } catch (error) {
        assert.ok(error instanceof ExpressionError || error instanceof RuntimeValueNeeded, `${text}: ${String(error)}`);
      }
    }),
    { numRuns: runs },
  );
});
