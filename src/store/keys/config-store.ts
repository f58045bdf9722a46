// Reading and advancing the config of a vault in its place.

import { isErrorCode } from "../../lib/errors.ts";
import type { ObjectStore } from "../backends/object-store.ts";
import { storeErrors } from "../errors.ts";
import { configName, prefixes } from "../format/object-names.ts";
import { decodeConfig, type VaultConfig } from "./config.ts";

export interface StoredConfig {
  readonly number: number;
  readonly config: VaultConfig;
}

/** The highest number that can be read; a damaged one is passed over when an older is there. */
export async function readConfig(store: ObjectStore, signal?: AbortSignal, attempts = 5): Promise<StoredConfig> {
  const numbers = await configNumbers(store, signal);
  let failure: unknown;
  for (const number of numbers.reverse()) {
    try {
      const name = configName(number);
      return { number, config: decodeConfig(await store.get(name, { signal }), name) };
    } catch (error) {
      if (isErrorCode(error, "FormatFromTheFuture")) throw error;
      // A changer removes the old number after writing the new one.
      if (isErrorCode(error, "ObjectMissing") && attempts > 1) return readConfig(store, signal, attempts - 1);
      if (!isErrorCode(error, "ObjectDamaged")) throw error;
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  throw storeErrors.VaultMissing(`There is no vault in ${store.location}.`);
}

export async function hasConfig(store: ObjectStore, signal?: AbortSignal): Promise<boolean> {
  return (await configNumbers(store, signal)).length > 0;
}

/** Writes the next number; older ones are removed after it is durable, so an old key stops opening the vault. */
export async function writeConfig(
  store: ObjectStore,
  number: number,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  try {
    await store.put(configName(number), bytes, { onlyIfAbsent: true, signal });
  } catch (cause) {
    if (!isErrorCode(cause, "ObjectExists")) throw cause;
    throw storeErrors.ConfigChanged(`Somebody else changed the keys of the vault in ${store.location}.`, { cause });
  }
  const present = await configNumbers(store, signal);
  if (present.some((other) => other > number)) {
    throw storeErrors.ConfigChanged(`Somebody else changed the keys of the vault in ${store.location}.`);
  }
  for (const older of present) if (older < number) await store.delete(configName(older), signal);
}

export async function configNumbers(store: ObjectStore, signal?: AbortSignal): Promise<number[]> {
  const numbers: number[] = [];
  for await (const { name } of store.list(prefixes.config, signal)) {
    const match = /^config\/(\d{8})$/.exec(name);
    if (match?.[1] !== undefined) numbers.push(Number(match[1]));
  }
  return numbers.sort((a, b) => a - b);
}
