import assert from "node:assert/strict";
import { test } from "node:test";
import { createToldAgain } from "./told-again.ts";

test("the same call is made once, whether it succeeds or fails", () => {
  const told = createToldAgain();
  let made = 0;
  const call = (values: readonly string[], fails = false): unknown =>
    told.of("f", values, () => {
      made += 1;
      if (fails) throw new Error("no");
      return `of ${values.join()}`;
    });
  assert.deepEqual([call(["a"]), call(["a"]), call(["b"])], ["of a", "of a", "of b"]);
  assert.equal(made, 2);
  for (const _ of [1, 2]) assert.throws(() => call(["c"], true), /no/);
  assert.equal(made, 3);
  assert.equal(
    told.of("g", ["a"], () => "of g"),
    "of g",
  );
});

test("only the last calls are kept, and no long texts", () => {
  const told = createToldAgain();
  let made = 0;
  const call = (value: string): unknown => told.of("f", [value], () => (made += 1));
  for (const value of ["a", "b", "c", "d", "e", "a"]) call(value);
  assert.equal(made, 6);
  const long = "x".repeat(9 * 1024 * 1024);
  call(long);
  call(long);
  assert.equal(made, 8);
});
