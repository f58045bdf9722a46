import assert from "node:assert/strict";
import { test } from "node:test";
import { isErrorCode } from "../../lib/errors.ts";
import { passwordHasher } from "./password-hash.ts";

const cheap = { logN: 4, running: 2, waiting: 64 };

test("a password verifies against its own hash only, and no two hashes are alike", async () => {
  const hasher = passwordHasher(cheap);
  const [first, second] = await Promise.all([hasher.hash("secret"), hasher.hash("secret")]);
  assert.notEqual(first, second);
  assert.equal(await hasher.verify("secret", first), true);
  assert.equal(await hasher.verify("Secret", first), false);
  assert.equal(await hasher.verify("", first), false);
});

test("the cost is written beside the hash, so a dearer one still verifies the old", async () => {
  const stored = await passwordHasher({ ...cheap, logN: 5 }).hash("secret");
  assert.equal(await passwordHasher(cheap).verify("secret", stored), true);
  assert.match(await passwordHasher().hash("x"), /^scrypt\$14\$/);
});

test("what was accepted is remembered, what was refused is not, and another process knows nothing of it", async () => {
  const hasher = passwordHasher(cheap);
  const stored = await hasher.hash("secret");
  assert.equal(hasher.remembers("secret", stored), false);
  await hasher.verify("wrong", stored);
  assert.equal(hasher.remembers("wrong", stored), false);
  await hasher.verify("secret", stored);
  assert.equal(hasher.remembers("secret", stored), true);
  assert.equal(hasher.remembers("secret", await hasher.hash("secret")), false);
  assert.equal(passwordHasher(cheap).remembers("secret", stored), false);
});

test("letters that look and mean the same are the same password", async () => {
  const hasher = passwordHasher(cheap);
  assert.equal(await hasher.verify("caf\u00e9", await hasher.hash("cafe\u0301")), true);
});

test("a flood of guesses is turned away instead of piling up", async () => {
  const hasher = passwordHasher({ logN: 10, running: 1, waiting: 3 });
  const stored = await hasher.hash("secret");
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, (_, index) => hasher.verify(`guess ${index}`, stored)),
  );
  const turnedAway = results.filter(
    (result) => result.status === "rejected" && isErrorCode(result.reason, "TooManySignIns"),
  );
  assert.equal(turnedAway.length, 16);
  assert.equal(await hasher.verify("secret", stored), true);
});

test("a novel as a password is refused before it costs anything; a damaged hash is an error of ours", async () => {
  const hasher = passwordHasher(cheap);
  assert.equal(await hasher.verify("x".repeat(5000), await hasher.hash("y")), false);
  for (const stored of ["", "bcrypt$1$a$b", "scrypt$40$AAAA$AAAA", "scrypt$4$$"]) {
    await assert.rejects(hasher.verify("secret", stored), { code: "StoredHashUnreadable" });
  }
});
