// A small document that the owner of a vault keeps in it, such as the vault's own settings: beside the
// points, and found without any of them. The store does not know what it says.

import { isErrorCode } from "../../lib/errors.ts";
import { storeErrors } from "../errors.ts";
import { keptDocumentName, prefixes } from "../format/object-names.ts";
import { maxKeptDocument, objectKinds } from "../format/layout.ts";
import { seal, unseal } from "../format/sealed.ts";
import type { Vault } from "../vault.ts";

/** Replaces the document. Of two that do so at once one fails with KeptDocumentChanged. */
export async function keepDocument({ store, keys }: Vault, content: Uint8Array, signal?: AbortSignal): Promise<void> {
  if (content.length > maxKeptDocument) {
    throw storeErrors.KeptDocumentTooLarge(`The document has ${content.length} bytes; ${maxKeptDocument} are allowed.`);
  }
  const present = await documentNumbers({ store }, signal);
  const name = keptDocumentName((present.at(-1) ?? 0) + 1);
  try {
    await store.put(name, seal(keys, objectKinds.keptDocument, name, content), { onlyIfAbsent: true, signal });
  } catch (cause) {
    if (!isErrorCode(cause, "ObjectExists")) throw cause;
    throw storeErrors.KeptDocumentChanged(`Somebody else changed ${name} in ${store.location}.`, { cause });
  }
  for (const older of present) await store.delete(keptDocumentName(older), signal);
}

/** A document that was listed and is gone was replaced meanwhile, but not for ever. */
const mostLooks = 5;

/** The newest document; undefined when none was kept. */
export async function keptDocument(vault: Vault, signal?: AbortSignal): Promise<Buffer | undefined> {
  for (let look = 1; ; look += 1) {
    const newest = (await documentNumbers(vault, signal)).at(-1);
    if (newest === undefined) return undefined;
    const name = keptDocumentName(newest);
    try {
      const sealed = await vault.store.get(name, { signal });
      return unseal(vault.keys, objectKinds.keptDocument, name, sealed, maxKeptDocument);
    } catch (error) {
      if (!isErrorCode(error, "ObjectMissing") || look === mostLooks) throw error;
    }
  }
}

async function documentNumbers({ store }: Pick<Vault, "store">, signal?: AbortSignal): Promise<number[]> {
  const numbers: number[] = [];
  for await (const { name } of store.list(prefixes.kept, signal)) {
    const match = /^kept\/(\d{8})$/.exec(name);
    if (match?.[1] !== undefined) numbers.push(Number(match[1]));
  }
  return numbers.sort((a, b) => a - b);
}
