import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import { withSchemaNames } from "./property-names.ts";

const schema = z.object({
  properties: z
    .object({
      storageType: z.string().optional(),
      items: z.array(z.looseObject({ isOn: z.boolean() })).nullish(),
      rules: z.record(z.string(), z.object({ maxAge: z.number() })).optional(),
      source: z
        .discriminatedUnion("kind", [
          z.object({ kind: z.literal("disk"), diskId: z.string() }),
          z.object({ kind: z.literal("blob"), blobUri: z.string() }),
        ])
        .optional(),
    })
    .optional(),
});

test("names that differ in case only take the schema's spelling, however deep", () => {
  const given = {
    Properties: {
      StorageType: "x",
      ITEMS: [{ ison: true, Other: 1 }],
      rules: { Week: { MAXAGE: 7 } },
      source: { Kind: "blob", BlobURI: "u" },
    },
  };
  assert.deepEqual(withSchemaNames(schema, given), {
    properties: {
      storageType: "x",
      items: [{ isOn: true, Other: 1 }],
      rules: { Week: { maxAge: 7 } },
      source: { kind: "blob", blobUri: "u" },
    },
  });
});

test("the exact name wins over another spelling, unknown names and wrong shapes stay", () => {
  const given = { properties: { storageType: "right", StorageType: "wrong", unknownName: 1, items: "no list" } };
  assert.deepEqual(withSchemaNames(schema, given), given);
  assert.deepEqual(withSchemaNames(schema, { properties: null }), { properties: null });
  assert.deepEqual(withSchemaNames(schema, [1]), [1]);
});

test("a name such as __proto__ is a property like any other", () => {
  const aligned = withSchemaNames(schema, JSON.parse('{"__proto__":{"polluted":1}}')) as object;
  assert.ok(Object.hasOwn(aligned, "__proto__"));
  assert.equal(Reflect.get(aligned, "polluted"), undefined);
});

test("values of enumerations that differ in case only take the schema's spelling; other texts stay", () => {
  const lock = z.object({
    level: z.enum(["CanNotDelete", "ReadOnly"]).nullish(),
    kind: z.literal("lock"),
    notes: z.string(),
  });
  const given = { level: "CannotDelete", kind: "LOCK", notes: "ReadOnly" };
  assert.deepEqual(withSchemaNames(lock, given), { level: "CanNotDelete", kind: "lock", notes: "ReadOnly" });
  assert.deepEqual(withSchemaNames(lock, { level: "Delete", kind: 1 }), { level: "Delete", kind: 1 });
});

test("an empty text is no value where no text is wanted and nothing need be given", () => {
  const account = z.object({
    isNfsEnabled: z.literal(false).nullish(),
    size: z.int().optional(),
    tier: z.enum(["Hot", "Cool"]).default("Hot"),
    isNeeded: z.boolean(),
    notes: z.string().optional(),
  });
  const given = { isNfsEnabled: "", size: "", tier: "", isNeeded: "", notes: "" };
  assert.deepEqual(withSchemaNames(account, given), { isNeeded: "", notes: "" });
});
