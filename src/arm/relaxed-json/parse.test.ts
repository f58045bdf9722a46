import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { isErrorCode } from "../../lib/errors.ts";
import { isObject, type JsonObject, toPlain } from "./json.ts";
import { defaultLimits, parseRelaxedJson } from "./parse.ts";

const runs = process.env["HOLDFAST_TEST_LONG"] === "1" ? 20_000 : 400;

function parsed(text: string): unknown {
  return toPlain(parseRelaxedJson(text).value);
}

function refused(text: string): string {
  try {
    parseRelaxedJson(text);
  } catch (error) {
    assert.ok(isErrorCode(error, "InvalidRequestContent"), String(error));
    return (error as Error).message;
  }
  return assert.fail(`accepted: ${text}`);
}

test("the body that az sends is read: unquoted template key, comments, CRLF, multi-line strings, trailing commas", () => {
  const body =
    '{"properties": {"parameters": {"n": {"value": "v2"}}, "mode": "Incremental", template:\uFEFF{\r\n' +
    '  // the schema\r\n  "$schema": "https://x/deploymentTemplate.json#", /* two\r\n lines */\r\n' +
    '  "variables": { "long": "[concat(\r\n    \'a\',\r\n    \'b\')]", },\r\n  "resources": [ ],\r\n}}}';
  assert.deepEqual(parsed(body), {
    properties: {
      parameters: { n: { value: "v2" } },
      mode: "Incremental",
      template: {
        $schema: "https://x/deploymentTemplate.json#",
        variables: { long: "[concat(\r\n    'a',\r\n    'b')]" },
        resources: [],
      },
    },
  });
});

test("valid JSON gives what JSON.parse gives", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      assert.deepEqual(parsed(text), JSON.parse(text));
    }),
    { numRuns: runs },
  );
});

test("any text is either read or refused by name", () => {
  const pieces = fc.constantFrom(
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    '"',
    "'",
    "a",
    "1",
    "-",
    ".",
    "/*",
    "*/",
    "//",
    "\n",
    "\\",
    "\\u00",
    "true",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(pieces).map((parts) => parts.join("")),
      ),
      (text) => {
        try {
          parseRelaxedJson(text);
        } catch (error) {
          assert.ok(isErrorCode(error, "InvalidRequestContent"), String(error));
        }
      },
    ),
    { numRuns: runs * 2 },
  );
});

test("__proto__ and constructor are names like any other", () => {
  const { value } = parseRelaxedJson('{"__proto__": {"polluted": true}, "constructor": 1}');
  assert.ok(isObject(value));
  assert.deepEqual(Object.keys(value), ["__proto__", "constructor"]);
  assert.equal(value["toString"], undefined);
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
});

test("each value knows its line and column", () => {
  const { value, positions } = parseRelaxedJson('{\r\n  "a": {\n    b: [1,\r 22] }\n}');
  const a = (value as JsonObject)["a"] as JsonObject;
  assert.deepEqual(positions.of(a), { line: 2, column: 8 });
  assert.deepEqual(positions.ofMember(a, "b"), { line: 3, column: 8 });
  assert.deepEqual(positions.ofMember(a["b"] as object, 1), { line: 4, column: 2 });
});

test("a refusal names line and column", () => {
  assert.match(refused('{\n  "a": tru\n}'), /expected a value, found "t", line 2, position 8/);
  assert.match(refused('{"a": 1 "b": 2}'), /expected ',' or '}', found "\\"", line 1, position 9/);
  assert.match(refused('["abc'), /does not end, line 1, position 2/);
  assert.match(refused("[1] 2"), /after the value/);
  assert.match(refused("[01]"), /malformed number/);
  assert.match(refused("/* open"), /comment .* does not end/);
});

test("depth, size and number of members are bounded", () => {
  assert.match(refused("[".repeat(100_000)), /nested deeper than 100/);
  assert.throws(() => parseRelaxedJson("[1,2,3]", { ...defaultLimits, maxMembers: 2 }), /more than 2 members/);
  assert.throws(() => parseRelaxedJson("[1,2,3]", { ...defaultLimits, maxCharacters: 3 }), /the limit is 3/);
});
