// Repair from a second copy of the vault: packs that are bad or lost here and good there are copied.

import { isErrorCode } from "../../lib/errors.ts";
import type { ObjectStore } from "../backends/object-store.ts";
import { contentName, sha256InName } from "../format/content-name.ts";
import { packName } from "../format/object-names.ts";
import { quarantinedPacks, releasePack } from "./quarantine.ts";
import { checkObject } from "./scrub.ts";
import type { Vault } from "../vault.ts";

export interface RepairOutcome {
  readonly repaired: readonly string[];
  /** Bad or lost here, and not good there either. */
  readonly stillBad: readonly string[];
}

export async function repair(vault: Vault, copy: ObjectStore, signal?: AbortSignal): Promise<RepairOutcome> {
  await vault.index.refresh(signal);
  const repaired: string[] = [];
  const stillBad: string[] = [];
  for (const hash of new Set([...(await quarantinedPacks(vault.store, signal)), ...vault.index.lost])) {
    const name = packName(hash);
    const isGoodHere = (await checkObject(vault.store, name, hash, signal)) === undefined;
    const content = isGoodHere ? undefined : await goodCopy(copy, name, hash, signal);
    if (!isGoodHere && content === undefined) {
      stillBad.push(hash);
      continue;
    }
    // Over the bad one: the content is proven to be what the name says.
    if (content !== undefined) await vault.store.put(name, content, { sha256: sha256InName(content, hash), signal });
    await releasePack(vault.store, hash, signal);
    repaired.push(hash);
  }
  await vault.index.refresh(signal);
  return { repaired, stillBad };
}

async function goodCopy(
  copy: ObjectStore,
  name: string,
  hash: string,
  signal?: AbortSignal,
): Promise<Buffer | undefined> {
  try {
    const content = await copy.get(name, { signal });
    return contentName(content) === hash ? content : undefined;
  } catch (error) {
    if (isErrorCode(error, "ObjectMissing")) return undefined;
    throw error;
  }
}
