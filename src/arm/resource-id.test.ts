import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HoldfastError } from "../lib/errors.ts";
import { pathSegments } from "./path.ts";
import { enclosingScopes, parseResourceId, tryParseResourceId } from "./resource-id.ts";

const subscription = "/subscriptions/00000000-0000-0000-0000-000000000001";

test("an id is read whatever its case, slashes and escapes, and shown with ARM's own words in their case", () => {
  const id = parseResourceId(
    `${subscription}/RESOURCEGROUPS/Rg1//Providers/Microsoft.RecoveryServices/vaults/v1/backupFabrics/Azure/protectionContainers/IaasVMContainer%3Biaasvmcontainerv2%3Brg1%3Bvm1/`,
  );
  assert.equal(
    id.text,
    `${subscription}/resourceGroups/Rg1/providers/Microsoft.RecoveryServices/vaults/v1/backupFabrics/Azure/protectionContainers/IaasVMContainer;iaasvmcontainerv2;rg1;vm1`,
  );
  assert.equal(id.type, "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers");
  assert.equal(id.name, "IaasVMContainer;iaasvmcontainerv2;rg1;vm1");
  assert.equal(
    id.parent,
    `${subscription}/resourceGroups/Rg1/providers/Microsoft.RecoveryServices/vaults/v1/backupFabrics/Azure`,
  );
});

test("what hangs on a resource has that resource as its parent", () => {
  const id = parseResourceId(
    `${subscription}/resourceGroups/g/providers/A.B/c/d/providers/Microsoft.Authorization/locks/keep`,
  );
  assert.equal(id.type, "Microsoft.Authorization/locks");
  assert.equal(id.parent, `${subscription}/resourceGroups/g/providers/A.B/c/d`);
});

test("the scopes around an id, nearest first", () => {
  assert.deepEqual(enclosingScopes(`${subscription}/resourceGroups/g/providers/A.B/c/d/e/f/providers/M.A/locks/keep`), [
    `${subscription}/resourceGroups/g/providers/A.B/c/d/e/f/providers/M.A/locks/keep`,
    `${subscription}/resourceGroups/g/providers/A.B/c/d/e/f`,
    `${subscription}/resourceGroups/g/providers/A.B/c/d`,
    `${subscription}/resourceGroups/g`,
    subscription,
    "",
  ]);
});

for (const wrong of [
  "",
  "x",
  "/subscriptions",
  `${subscription}/resourceGroups`,
  `${subscription}/providers/A.B`,
  `${subscription}/providers/A.B/c`,
]) {
  test(`'${wrong}' is no id`, () => {
    assert.throws(
      () => parseResourceId(wrong),
      (error) => error instanceof HoldfastError && error.status === 400,
    );
  });
}

for (const hostile of [
  "/a/../b",
  "/a/%2e%2e/b",
  "/a/b%2fc",
  "/a/b%5Cc",
  "/a/%00",
  "/a/%zz",
  `/${"x".repeat(9000)}`,
  `/${"x".repeat(1100)}`,
]) {
  test(`a hostile path is refused: ${hostile.slice(0, 20)}`, () => {
    assert.throws(
      () => pathSegments(hostile),
      (error) => error instanceof HoldfastError && error.code === "InvalidRequestUri",
    );
  });
}

test("whatever text comes, the parsers answer or throw their own error", () => {
  const piece = fc.constantFrom(
    "subscriptions",
    "resourceGroups",
    "providers",
    "Microsoft.X",
    "vaults",
    "v",
    "..",
    "%",
    "%41",
    "",
  );
  const path = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 14 }).map((parts) => `/${parts.join("/")}`),
  );
  fc.assert(
    fc.property(path, (text) => {
      tryParseResourceId(text);
      enclosingScopes(text);
      try {
        pathSegments(text);
      } catch (error) {
        assert.ok(error instanceof HoldfastError);
      }
    }),
    { numRuns: 2000 },
  );
});

test("reading an id's text again changes nothing", () => {
  const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/);
  const id = fc.tuple(name, name, fc.array(fc.tuple(name, name), { minLength: 1, maxLength: 3 }));
  fc.assert(
    fc.property(id, ([group, namespace, pairs]) => {
      const text = `${subscription}/resourceGroups/${group}/providers/${namespace}/${pairs.flat().join("/")}`;
      const parsed = tryParseResourceId(text);
      if (pairs.flat().some((part) => part.toLowerCase() === "providers")) return;
      assert.equal(parsed?.text, text);
      assert.equal(tryParseResourceId(parsed.text)?.text, parsed.text);
    }),
  );
});
