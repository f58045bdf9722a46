// Making, importing and describing keys. Private halves exist as JWKs in memory, sealed at rest.

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type JsonWebKey as CryptoJwk,
  type KeyObject,
} from "node:crypto";
import { promisify } from "node:util";
import { z } from "zod";
import { randomBytes } from "../lib/random.ts";
import { keyErrors } from "./errors.ts";
import type { Shown } from "./objects.ts";
import { isGiven } from "./given.ts";

export type KeyType = "RSA" | "RSA-HSM" | "EC" | "EC-HSM" | "oct" | "oct-HSM";

export interface KeyShown extends Shown {
  /** As the client named it; `-HSM` is kept and shown, the key is in the same place. */
  readonly kty: KeyType;
  readonly operations: readonly string[];
  /** The public half; empty for oct. */
  readonly publicJwk: Readonly<Record<string, string>>;
  readonly bits: number;
}

export interface KeyPair {
  readonly publicJwk: Readonly<Record<string, string>>;
  /** JSON of the private JWK. */
  readonly secret: Buffer;
  readonly bits: number;
}

export const curves: Readonly<Record<string, { readonly named: string; readonly bits: number }>> = {
  "P-256": { named: "P-256", bits: 256 },
  "P-384": { named: "P-384", bits: 384 },
  "P-521": { named: "P-521", bits: 521 },
  "P-256K": { named: "secp256k1", bits: 256 },
};

const makePair = promisify(generateKeyPair);

export function plainType(kty: KeyType): "RSA" | "EC" | "oct" {
  return kty.replace("-HSM", "") as "RSA" | "EC" | "oct";
}

export async function makeKey(kty: KeyType, options: { size?: number; curve?: string }): Promise<KeyPair> {
  switch (plainType(kty)) {
    case "RSA": {
      const bits = options.size ?? 2048;
      if (![2048, 3072, 4096].includes(bits))
        throw keyErrors.BadParameter(`key_size is ${bits}; it is 2048, 3072 or 4096 for RSA.`);
      const { privateKey } = await makePair("rsa", { modulusLength: bits });
      return describe(privateKey.export({ format: "jwk" }));
    }
    case "EC": {
      const curve = curves[options.curve ?? "P-256"];
      if (curve === undefined)
        throw keyErrors.BadParameter(
          `crv is '${String(options.curve).slice(0, 20)}'; it is one of ${Object.keys(curves).join(", ")}.`,
        );
      const { privateKey } = await makePair("ec", { namedCurve: curve.named });
      return describe(privateKey.export({ format: "jwk" }));
    }
    case "oct": {
      const bits = options.size ?? 256;
      if (![128, 192, 256].includes(bits))
        throw keyErrors.BadParameter(`key_size is ${bits}; it is 128, 192 or 256 for oct.`);
      return describe({ kty: "oct", k: randomBytes(bits / 8).toString("base64url") });
    }
  }
}

const base64url = z.string().regex(/^[A-Za-z0-9_-]{1,1400}={0,2}$/, "must be base64url");

export const importedKeySchema = z.object({
  kty: z.enum(["RSA", "RSA-HSM", "EC", "EC-HSM", "oct", "oct-HSM"]),
  key_ops: z.array(z.string()).nullish(),
  crv: z.string().nullish(),
  n: base64url.nullish(),
  e: base64url.nullish(),
  d: base64url.nullish(),
  p: base64url.nullish(),
  q: base64url.nullish(),
  dp: base64url.nullish(),
  dq: base64url.nullish(),
  qi: base64url.nullish(),
  k: base64url.nullish(),
  x: base64url.nullish(),
  y: base64url.nullish(),
});

export function importKey(given: z.output<typeof importedKeySchema>): KeyPair {
  const names = ["n", "e", "d", "p", "q", "dp", "dq", "qi", "k", "x", "y"] as const;
  const members = Object.fromEntries(
    names.flatMap((name) => (!isGiven(given[name]) ? [] : [[name, given[name].replace(/=+$/, "")]])),
  );
  const kty = plainType(given.kty);
  const jwk: CryptoJwk = {
    kty,
    ...members,
    ...(!isGiven(given.crv) ? {} : { crv: curves[given.crv]?.named ?? given.crv }),
  };
  try {
    if (kty !== "oct") return describe(createPrivateKey({ key: jwk, format: "jwk" }).export({ format: "jwk" }));
  } catch (cause) {
    throw keyErrors.BadParameter("The JSON Web Key is not a private key that can be used.", { cause });
  }
  const bits = Buffer.from(String(jwk["k"] ?? ""), "base64url").length * 8;
  if (![128, 192, 256].includes(bits))
    throw keyErrors.BadParameter(`An oct key has 128, 192 or 256 bits, this one ${bits}.`);
  return describe(jwk);
}

export function privateKeyOf(secret: Uint8Array): KeyObject {
  return createPrivateKey({ key: jwkOf(secret), format: "jwk" });
}

export function publicKeyOf(secret: Uint8Array): KeyObject {
  return createPublicKey(privateKeyOf(secret));
}

export function symmetricKeyOf(secret: Uint8Array): Buffer {
  return Buffer.from(String(jwkOf(secret)["k"]), "base64url");
}

function jwkOf(secret: Uint8Array): CryptoJwk {
  return JSON.parse(Buffer.from(secret).toString("utf8")) as CryptoJwk;
}

function describe(jwk: CryptoJwk): KeyPair {
  const shown = ["n", "e", "crv", "x", "y"].flatMap((name) =>
    typeof jwk[name] === "string" ? [[name, jwk[name]]] : [],
  );
  const publicJwk = Object.fromEntries(shown) as Record<string, string>;
  const azureName = Object.entries(curves).find(([, curve]) => curve.named === publicJwk["crv"])?.[0];
  if (jwk.kty === "EC" && azureName === undefined)
    throw keyErrors.BadParameter(
      `The curve '${publicJwk["crv"] ?? ""}' is not one of ${Object.keys(curves).join(", ")}.`,
    );
  const bits =
    jwk.kty === "RSA"
      ? Buffer.from(jwk.n ?? "", "base64url").length * 8
      : jwk.kty === "EC"
        ? (curves[azureName ?? ""]?.bits ?? 0)
        : Buffer.from(String(jwk["k"]), "base64url").length * 8;
  if (jwk.kty === "RSA" && (bits < 2048 || bits > 4096))
    throw keyErrors.BadParameter(`An RSA key has 2048 to 4096 bits, this one ${bits}.`);
  return {
    publicJwk: azureName === undefined ? publicJwk : { ...publicJwk, crv: azureName },
    secret: Buffer.from(JSON.stringify(jwk), "utf8"),
    bits,
  };
}
