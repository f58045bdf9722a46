// What all commands of the offline tool share: the store and the vault behind the options, the end on
// SIGINT, and output as text or as one JSON document.

import { openStore } from "../../store/backends/open-store.ts";
import { openVault, type ObjectStore, type Vault } from "../../store/index.ts";
import { readConfig } from "../../store/keys/config-store.ts";
import { toolErrors } from "./errors.ts";
import { findKey, type KeyOptions } from "./key-file.ts";

export interface StoreOptions {
  readonly store: string;
  readonly trustFileSystem?: boolean;
  readonly json?: boolean;
  /** MiB/s */
  readonly limit?: string;
}

export interface VaultAccess extends StoreOptions, KeyOptions {
  readonly workers?: string;
  readonly fallback?: string;
}

type Access = "read" | "write" | "create";

export function openPlace(options: StoreOptions, access: Access, location = options.store): Promise<ObjectStore> {
  const limit = wholeNumber("--limit", options.limit, 1);
  return openStore(location, {
    create: access === "create",
    readOnly: access === "read",
    trustFileSystem: options.trustFileSystem,
    throttle: limit === undefined ? undefined : { bytesPerSecond: limit * 1024 * 1024 },
  });
}

/** Opens the vault, runs the action, closes everything; SIGINT ends the action in order. */
export async function withVault(
  options: VaultAccess,
  access: "read" | "write",
  action: (vault: Vault, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  await interruptible(async (signal) => {
    await using store = await openPlace(options, access);
    await using fallback =
      options.fallback === undefined ? undefined : await openPlace(options, "read", options.fallback);
    const { config } = await readConfig(store, signal);
    const provider = await findKey(options, config);
    const workers = wholeNumber("--workers", options.workers, 1);
    await using vault = await openVault(store, provider, { workers, fallback }, signal);
    await action(vault, signal);
  });
}

/** The first SIGINT or SIGTERM asks the action to end, the second ends the process. */
export async function interruptible(action: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  const interrupt = (): void => controller.abort(toolErrors.Interrupted("Interrupted."));
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  try {
    await action(controller.signal);
  } catch (error) {
    // Whatever the interruption made fail, the interruption is what happened.
    controller.signal.throwIfAborted();
    throw error;
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

export function print(options: { readonly json?: boolean }, document: unknown, text: string): void {
  process.stdout.write(options.json === true ? `${JSON.stringify(document)}\n` : `${text}\n`);
}

/** The most memory that this process has had resident. */
export function peakMemoryMiB(): number {
  return Math.ceil(process.resourceUsage().maxRSS / 1024);
}

export function wholeNumber(name: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (/^\d{1,12}$/.test(text) && number >= least) return number;
  throw toolErrors.UsageInvalid(`${name} ${text}: a whole number from ${least} on is needed.`);
}
