// Our paddings and curves against OpenSSL's own signatures of whole messages.

import assert from "node:assert/strict";
import { constants, createHash, generateKeyPairSync, sign, verify } from "node:crypto";
import { test } from "node:test";
import { randomBytes } from "../lib/random.ts";
import { signEc, verifyEc } from "./ec-digests.ts";
import { signPkcs1, signPss, verifyPkcs1, verifyPss } from "./rsa-digests.ts";

const rounds = process.env["HOLDFAST_TEST_LONG"] === "1" ? 200 : 3;

for (const [curve, hash] of [
  ["P-256", "sha256"],
  ["P-384", "sha384"],
  ["P-521", "sha512"],
  ["secp256k1", "sha256"],
  ["P-256", "sha512"],
] as const) {
  test(`ECDSA on ${curve} with ${hash} is OpenSSL's, both ways`, () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: curve });
    const dsaEncoding = "ieee-p1363";
    for (let round = 0; round < rounds; round += 1) {
      const message = randomBytes(20);
      const digest = createHash(hash).update(message).digest();
      const ours = signEc(privateKey, digest);
      assert.equal(verify(hash, message, { key: publicKey, dsaEncoding }, ours), true);
      const theirs = sign(hash, message, { key: privateKey, dsaEncoding });
      assert.equal(verifyEc(publicKey, digest, theirs), true);
      theirs[round] = (theirs[round] ?? 0) ^ 1;
      assert.equal(verifyEc(publicKey, digest, theirs), false);
    }
    assert.equal(verifyEc(publicKey, randomBytes(32), Buffer.alloc(signEc(privateKey, randomBytes(32)).length)), false);
    assert.equal(verifyEc(publicKey, randomBytes(32), Buffer.alloc(3)), false);
  });
}

for (const bits of [2048, 2056]) {
  test(`RSA signatures of ${bits} bits are OpenSSL's, both ways`, () => {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: bits });
    for (const [hash, saltLength] of [
      ["sha256", 32],
      ["sha384", 48],
      ["sha512", 64],
    ] as const) {
      const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
      const message = randomBytes(20);
      const digest = createHash(hash).update(message).digest();
      assert.equal(verify(hash, message, { key: publicKey, ...pss }, signPss(privateKey, hash, digest, bits)), true);
      const theirs = sign(hash, message, { key: privateKey, ...pss });
      assert.equal(verifyPss(publicKey, hash, digest, theirs, bits), true);
      theirs[40] = (theirs[40] ?? 0) ^ 1;
      assert.equal(verifyPss(publicKey, hash, digest, theirs, bits), false);
      assert.equal(verifyPss(publicKey, hash, digest, Buffer.alloc(bits / 8, 0xff), bits), false);
      assert.equal(verify(hash, message, publicKey, signPkcs1(privateKey, hash, digest)), true);
      const plain = sign(hash, message, privateKey);
      assert.equal(verifyPkcs1(publicKey, hash, digest, plain), true);
      assert.equal(verifyPkcs1(publicKey, hash, randomBytes(saltLength), plain), false);
    }
  });
}
