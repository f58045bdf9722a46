// ECDSA over a digest that the client has computed already (Node's `sign` wants the message). The
// multiplication with secrets is OpenSSL's; what is left of the secret is blinded before it is
// computed with. Verifying has no secrets.

import { createECDH, type KeyObject } from "node:crypto";
import { randomBytes } from "../lib/random.ts";

interface Curve {
  readonly openssl: string;
  readonly p: bigint;
  readonly n: bigint;
  readonly a: bigint;
}

const hex = (text: string): bigint => BigInt(`0x${text}`);
const p256 = hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
const p384 = hex("fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff");
const p521 = 2n ** 521n - 1n;

const curves: Readonly<Record<string, Curve>> = {
  "P-256": {
    openssl: "prime256v1",
    p: p256,
    a: p256 - 3n,
    n: hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
  },
  "P-384": {
    openssl: "secp384r1",
    p: p384,
    a: p384 - 3n,
    n: hex("ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973"),
  },
  "P-521": {
    openssl: "secp521r1",
    p: p521,
    a: p521 - 3n,
    n: hex(`01${"ff".repeat(32)}fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409`),
  },
  secp256k1: {
    openssl: "secp256k1",
    p: hex("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"),
    a: 0n,
    n: hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"),
  },
};

/** r and s, each as long as the curve. */
export function signEc(privateKey: KeyObject, digest: Uint8Array): Buffer {
  const jwk = privateKey.export({ format: "jwk" });
  const curve = curveOf(jwk.crv);
  const d = number(Buffer.from(jwk.d ?? "", "base64url"));
  for (;;) {
    const k = below(curve.n);
    const r = multiplyBase(curve, k).x % curve.n;
    const blind = below(curve.n);
    const s = modulo(
      inverse(modulo(blind * k, curve.n), curve.n) *
        modulo(blind * truncate(curve, digest) + modulo(blind * r, curve.n) * d, curve.n),
      curve.n,
    );
    if (r !== 0n && s !== 0n) return Buffer.concat([bytes(r, lengthOf(curve)), bytes(s, lengthOf(curve))]);
  }
}

export function verifyEc(publicKey: KeyObject, digest: Uint8Array, signature: Uint8Array): boolean {
  const jwk = publicKey.export({ format: "jwk" });
  const curve = curveOf(jwk.crv);
  const length = lengthOf(curve);
  if (signature.length !== 2 * length) return false;
  const r = number(signature.subarray(0, length));
  const s = number(signature.subarray(length));
  if (r < 1n || r >= curve.n || s < 1n || s >= curve.n) return false;
  const w = inverse(s, curve.n);
  const key = { x: number(Buffer.from(jwk.x ?? "", "base64url")), y: number(Buffer.from(jwk.y ?? "", "base64url")) };
  const u1 = modulo(truncate(curve, digest) * w, curve.n);
  const sum = add(curve, u1 === 0n ? undefined : multiplyBase(curve, u1), multiply(curve, key, modulo(r * w, curve.n)));
  return sum !== undefined && sum.x % curve.n === r;
}

interface Point {
  readonly x: bigint;
  readonly y: bigint;
}

function multiplyBase(curve: Curve, scalar: bigint): Point {
  const ecdh = createECDH(curve.openssl);
  ecdh.setPrivateKey(bytes(scalar, lengthOf(curve)));
  const point = ecdh.getPublicKey();
  const half = (point.length - 1) / 2;
  return { x: number(point.subarray(1, 1 + half)), y: number(point.subarray(1 + half)) };
}

function multiply(curve: Curve, point: Point, scalar: bigint): Point | undefined {
  let sum: Point | undefined;
  let power: Point | undefined = point;
  for (let rest = scalar; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) sum = add(curve, sum, power);
    power = add(curve, power, power);
  }
  return sum;
}

/** Undefined is the point at infinity. */
function add({ p, a }: Curve, left: Point | undefined, right: Point | undefined): Point | undefined {
  if (left === undefined) return right;
  if (right === undefined) return left;
  if (left.x === right.x && modulo(left.y + right.y, p) === 0n) return undefined;
  const slope =
    left.x === right.x
      ? modulo((3n * left.x * left.x + a) * inverse(modulo(2n * left.y, p), p), p)
      : modulo((right.y - left.y) * inverse(modulo(right.x - left.x, p), p), p);
  const x = modulo(slope * slope - left.x - right.x, p);
  return { x, y: modulo(slope * (left.x - x) - left.y, p) };
}

function truncate(curve: Curve, digest: Uint8Array): bigint {
  const excess = Math.max(0, digest.length * 8 - curve.n.toString(2).length);
  return number(digest) >> BigInt(excess);
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [older, newer] = [modulus, modulo(value, modulus)];
  let [before, after] = [0n, 1n];
  while (newer !== 0n) {
    const quotient = older / newer;
    [older, newer] = [newer, older - quotient * newer];
    [before, after] = [after, before - quotient * after];
  }
  return modulo(before, modulus);
}

function below(limit: bigint): bigint {
  // Eight bytes more than needed leave no bias worth a name.
  return (number(randomBytes(Math.ceil(limit.toString(16).length / 2) + 8)) % (limit - 1n)) + 1n;
}

function modulo(value: bigint, modulus: bigint): bigint {
  const rest = value % modulus;
  return rest < 0n ? rest + modulus : rest;
}

function number(from: Uint8Array): bigint {
  return from.length === 0 ? 0n : BigInt(`0x${Buffer.from(from).toString("hex")}`);
}

function bytes(value: bigint, length: number): Buffer {
  return Buffer.from(value.toString(16).padStart(length * 2, "0"), "hex");
}

function lengthOf(curve: Curve): number {
  return Math.ceil(curve.p.toString(16).length / 2);
}

function curveOf(name: string | undefined): Curve {
  const curve = curves[name ?? ""];
  if (curve === undefined) throw new Error(`no curve '${String(name)}'`);
  return curve;
}
