import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { contentName, sha256InName } from "./content-name.ts";
import { formatVersion, objectKinds } from "./layout.ts";

const objectOfKind = (kind: number): Buffer => Buffer.of(formatVersion, kind, 1, 2, 3);
const digest = (name: string, bytes: Buffer): string => createHash(name).update(bytes).digest("hex").slice(0, 64);

test("an object is named by SHA-256, a pack that says so by the first half of BLAKE2b-512", () => {
  for (const kind of [objectKinds.pack, objectKinds.index]) {
    const bytes = objectOfKind(kind);
    assert.equal(contentName(bytes), digest("sha256", bytes));
    assert.deepEqual(sha256InName(bytes, contentName(bytes)), createHash("sha256").update(bytes).digest());
  }
  const quick = objectOfKind(objectKinds.packByBlake2b);
  assert.equal(contentName(quick), digest("blake2b512", quick));
  assert.equal(sha256InName(quick, contentName(quick)), undefined);
});
