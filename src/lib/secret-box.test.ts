import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { isErrorCode } from "./errors.ts";
import { randomBytes } from "./random.ts";
import { secretBox } from "./secret-box.ts";

const unreadable = (error: unknown): boolean => isErrorCode(error, "SecretUnreadable");

test("what is sealed opens again, and never looks the same twice", () => {
  const box = secretBox(randomBytes(32));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const sealed = box.seal(bytes);
      assert.deepEqual(new Uint8Array(box.open(sealed)), bytes);
      assert.notDeepEqual(box.seal(bytes), sealed);
    }),
  );
});

test("any flipped bit, a cut and another key are refused", () => {
  const box = secretBox(randomBytes(32));
  const sealed = box.seal(Buffer.from("a signing key"));
  for (let bit = 0; bit < sealed.length * 8; bit += 1) {
    const changed = Buffer.from(sealed);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.throws(() => box.open(changed), unreadable);
  }
  for (let length = 0; length < sealed.length; length += 1) {
    assert.throws(() => box.open(sealed.subarray(0, length)), unreadable);
  }
  assert.throws(() => secretBox(randomBytes(32)).open(sealed), unreadable);
});

test("a key of the wrong length is refused", () => {
  assert.throws(
    () => secretBox(randomBytes(31)),
    (error) => isErrorCode(error, "SecretBoxKeyInvalid"),
  );
});
