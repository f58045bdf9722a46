// Secrets and passwords at rest: scrypt, its cost written beside the hash so that it can grow.
//
// scrypt is meant to be slow (about 16 MiB and 40 ms here), so two things keep it from being turned
// against us. At most a few run at once and only so many wait; whoever comes then is told to come
// back. And a proof that was accepted is remembered under a key that lives only in this process, so
// that a script which asks for a token every second costs one hash in all.

import { createHmac, scrypt, timingSafeEqual } from "node:crypto";
import { defineErrors } from "../../lib/errors.ts";
import { randomBytes } from "../../lib/random.ts";

export interface PasswordHasher {
  hash(password: string): Promise<string>;
  /** Constant time for one stored hash. */
  verify(password: string, stored: string): Promise<boolean>;
  /** True only for a proof that `verify` accepted before; costs nothing. */
  remembers(password: string, stored: string): boolean;
}

export interface HashCost {
  readonly logN: number;
  readonly running: number;
  readonly waiting: number;
}

const defaultCost: HashCost = { logN: 14, running: 2, waiting: 64 };
const blockSize = 8;
const hashLength = 32;
const saltLength = 16;
const rememberedProofs = 4096;
const longestPassword = 1024;

export const hashErrors = defineErrors({
  TooManySignIns: { status: 429, remedy: "Wait a few seconds and try again." },
  StoredHashUnreadable: { status: 500 },
});

export function passwordHasher(cost: HashCost = defaultCost): PasswordHasher {
  const proofKey = randomBytes(32);
  const proofs = new Set<string>();
  const gate = limited(cost.running, cost.waiting);

  const proofOf = (password: string, stored: string): string =>
    createHmac("sha256", proofKey).update(stored).update("\0").update(password).digest("base64");

  const remember = (proof: string): void => {
    if (proofs.size >= rememberedProofs) proofs.delete(proofs.values().next().value ?? "");
    proofs.add(proof);
  };

  return {
    hash: async (password) => {
      const salt = randomBytes(saltLength);
      const hash = await gate(() => derive(password, salt, cost.logN));
      return ["scrypt", cost.logN, salt.toString("base64"), hash.toString("base64")].join("$");
    },
    verify: async (password, stored) => {
      if (password.length > longestPassword) return false;
      const proof = proofOf(password, stored);
      if (proofs.has(proof)) return true;
      const { logN, salt, hash } = parseStored(stored);
      const derived = await gate(() => derive(password, salt, logN));
      const accepted = timingSafeEqual(derived, hash);
      if (accepted) remember(proof);
      return accepted;
    },
    remembers: (password, stored) => password.length <= longestPassword && proofs.has(proofOf(password, stored)),
  };
}

function parseStored(stored: string): { logN: number; salt: Buffer; hash: Buffer } {
  const [scheme, logN, salt, hash] = stored.split("$");
  const parsed = {
    logN: Number(logN),
    salt: Buffer.from(salt ?? "", "base64"),
    hash: Buffer.from(hash ?? "", "base64"),
  };
  const plausible = Number.isInteger(parsed.logN) && parsed.logN >= 1 && parsed.logN <= 20;
  if (scheme !== "scrypt" || !plausible || parsed.salt.length === 0 || parsed.hash.length !== hashLength) {
    throw hashErrors.StoredHashUnreadable("A stored password hash is not of a form that this release knows.");
  }
  return parsed;
}

function derive(password: string, salt: Buffer, logN: number): Promise<Buffer> {
  const options = { N: 2 ** logN, r: blockSize, p: 1, maxmem: 256 * blockSize * 2 ** logN };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize("NFKC"), salt, hashLength, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

/** At most `running` at once; at most `waiting` in line. */
function limited(running: number, waiting: number): <T>(work: () => Promise<T>) => Promise<T> {
  let active = 0;
  const line: (() => void)[] = [];
  return async (work) => {
    if (active >= running) {
      if (line.length >= waiting)
        throw hashErrors.TooManySignIns("Too many sign-ins are being checked at this moment.");
      await new Promise<void>((resolve) => line.push(resolve));
    } else active += 1;
    try {
      return await work();
    } finally {
      const next = line.shift();
      if (next === undefined) active -= 1;
      else next();
    }
  };
}
