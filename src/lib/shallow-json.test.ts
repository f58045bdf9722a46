import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseShallowJson } from "./shallow-json.ts";

test("any JSON of ordinary depth is read as it is", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      assert.deepEqual(parseShallowJson(JSON.stringify(value)), JSON.parse(JSON.stringify(value)));
    }),
  );
  assert.equal(parseShallowJson(JSON.stringify("[{".repeat(500) + '\\"[')), "[{".repeat(500) + '\\"[');
});

test("what is nested without measure is refused", () => {
  for (const open of ["[", '{"a":', '[{"\\"":'])
    assert.throws(() => parseShallowJson(open.repeat(100_000)), { name: "SyntaxError", message: /deeper than 128/ });
  assert.deepEqual(
    parseShallowJson(`${"[".repeat(128)}${"]".repeat(128)}`),
    JSON.parse(`${"[".repeat(128)}${"]".repeat(128)}`),
  );
});
