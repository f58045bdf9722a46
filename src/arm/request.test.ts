import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { HoldfastError } from "../lib/errors.ts";
import { parseBody } from "./request.ts";

function refusal(body: unknown, schema: z.ZodType): HoldfastError {
  try {
    parseBody({ body }, schema);
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
  throw new Error("the body was taken");
}

test("every wrong field is named with what was seen", () => {
  const schema = z.object({ properties: z.object({ days: z.int(), name: z.string() }) });
  const { message, target, details } = refusal({ properties: { days: "many", name: 7 } }, schema);
  assert.match(message, /'properties.days': .* Seen: "many"/);
  assert.equal(target, "properties.days");
  assert.deepEqual(
    details.map((detail) => detail.target),
    ["properties.days", "properties.name"],
  );
});

test("what may be a secret is not repeated", () => {
  for (const name of ["value", "adminPassword", "clientSecret", "primaryKey", "sessionToken"]) {
    const schema = z.object({ properties: z.object({ [name]: z.string() }) });
    const { message, details } = refusal({ properties: { [name]: 271828 } }, schema);
    assert.doesNotMatch(message + details.map((detail) => detail.message).join(), /271828/, name);
  }
});

test("a part of the body that is shown whole is shown without the secrets in it", () => {
  const schema = z.object({ place: z.object({ kind: z.enum(["s3"]) }).or(z.string()), credential: z.string() });
  const body = { place: { kind: "az", token: "sig=271828" }, credential: { id: "a", pass: "314159" } };
  const { message, details } = refusal(body, schema);
  const said = message + details.map((detail) => detail.message).join();
  assert.match(said, /"kind":"az"/);
  assert.doesNotMatch(said, /271828|314159/);
});
