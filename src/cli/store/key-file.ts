// Key files: 32 bytes as 64 hexadecimal digits (or raw). Only their owner may read them. Those that
// `init` makes are named by the id that the vault's config gives for the key, so they are found
// again without being named.

import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { disk } from "../../lib/files.ts";
import { randomBytes } from "../../lib/random.ts";
import { keyFromBytes, keyFromPassphrase, parseRecoveryKey, type KeyProvider } from "../../store/index.ts";
import type { VaultConfig } from "../../store/keys/config.ts";
import { toolErrors } from "./errors.ts";

const keyBytes = 32;

export interface KeyOptions {
  readonly key?: string;
  readonly passphraseFile?: string;
  readonly recoveryKeyFile?: string;
}

/** Where `init` puts keys that nobody named. */
export function defaultKeyFile(keyId: string): string {
  const configHome = process.env["XDG_CONFIG_HOME"] ?? join(homedir(), ".config");
  return join(configHome, "holdfast", "keys", `${keyId}.key`);
}

/** The key that opens a vault: the one that was named, or one of ours that its config mentions. */
export async function findKey(options: KeyOptions, config: VaultConfig): Promise<KeyProvider> {
  const named = [options.key, options.passphraseFile, options.recoveryKeyFile].filter((path) => path !== undefined);
  if (named.length > 1) {
    throw toolErrors.UsageInvalid("--key, --passphrase-file and --recovery-key-file: only one of them can be given.");
  }
  if (options.passphraseFile !== undefined) return readPassphrase(options.passphraseFile);
  if (options.recoveryKeyFile !== undefined) {
    return keyFromBytes(parseRecoveryKey((await readSecret(options.recoveryKeyFile)).toString("utf8")), "recovery");
  }
  if (options.key !== undefined) return keyFromBytes(await readKeyFile(options.key));
  const places = config.slots.flatMap(({ kind, keyId }) =>
    kind === "file" && keyId !== undefined && /^[0-9a-f]{1,64}$/.test(keyId) ? [defaultKeyFile(keyId)] : [],
  );
  for (const place of places) {
    if ((await disk.status(place)) !== undefined) return keyFromBytes(await readKeyFile(place));
  }
  throw toolErrors.KeyFileMissing(
    `The vault ${config.vaultId} needs its key; it is not at ${places.join(" or ") || "any place of ours"}.`,
  );
}

export async function readPassphrase(path: string): Promise<KeyProvider> {
  return keyFromPassphrase((await readSecret(path)).toString("utf8").replace(/\r?\n$/, ""));
}

export async function readKeyFile(path: string): Promise<Buffer> {
  const content = await readSecret(path);
  if (content.length === keyBytes) return content;
  const text = content.toString("latin1").trim();
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, "hex");
  throw toolErrors.KeyFileDamaged(`${path} holds no key: neither ${keyBytes} bytes nor 64 hexadecimal digits.`);
}

/** Makes a key and writes it; without a path to the place where it is found by itself. */
export async function makeKeyFile(path?: string): Promise<{ readonly path: string; readonly key: Buffer }> {
  const key = randomBytes(keyBytes);
  const place = resolve(path ?? defaultKeyFile(keyFromBytes(key).keyId ?? ""));
  await disk.makeDirectory(dirname(place));
  if ((await disk.linkStatus(place)) !== undefined) throw toolErrors.UsageInvalid(`${place} exists already.`);
  await disk.writeDurably(place, `${key.toString("hex")}\n`, 0o600);
  return { path: place, key };
}

async function readSecret(path: string): Promise<Buffer> {
  const status = await disk.status(path);
  if (status === undefined) throw toolErrors.KeyFileMissing(`There is no key file ${path}.`);
  if (!status.isFile) throw toolErrors.KeyFileMissing(`${path} is no plain file, so it is no key file.`);
  const [groupMayWrite, othersMayAnything] = [0o020, 0o007];
  if ((status.mode & (groupMayWrite | othersMayAnything)) !== 0) {
    throw toolErrors.KeyFileExposed(
      `${path} has the mode ${status.mode.toString(8).padStart(3, "0")}: others than its owner may use it.`,
    );
  }
  if (status.size > 4096) throw toolErrors.KeyFileDamaged(`${path} has ${status.size} bytes; that is no key.`);
  try {
    return await disk.read(path);
  } catch (cause) {
    throw toolErrors.KeyFileMissing(`${path} cannot be read.`, { cause });
  }
}
