// What a vault is set to, kept in its store beside the points: a server that takes the store over has it
// back. Written when it has changed, and looked at again by each backup, which finds what was missed.

import type { Database } from "../../db/database.ts";
import { isErrorCode } from "../../lib/errors.ts";
import { isDamage } from "../../store/damage.ts";
import { keepDocument, keptDocument, type Vault as Store } from "../../store/index.ts";
import { vaultStore } from "../stores/store-name.ts";
import type { Stores } from "../stores/stores.ts";
import { findVault, type Vault } from "./vaults.ts";

/** The vault as the wire shows it now; undefined when it is not there any more. */
export type DescribeVault = (vault: Pick<Vault, "id">) => Promise<Readonly<Record<string, unknown>> | undefined>;

export interface VaultDocumentParts {
  readonly database: Database;
  readonly stores: Stores;
  readonly describeVault: DescribeVault;
  readonly report: (error: unknown) => void;
}

const mostAttempts = 5;

export async function keepVaultDocument(
  describeVault: DescribeVault,
  store: Store,
  vault: Vault,
  signal?: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const described = await describeVault(vault);
    if (described === undefined) return;
    const content = Buffer.from(JSON.stringify(described));
    if ((await usableDocument(store, signal))?.equals(content) === true) return;
    try {
      await keepDocument(store, content, signal);
      return;
    } catch (error) {
      // Two backups that end at once: the other one has just written, perhaps the same.
      if (!isErrorCode(error, "KeptDocumentChanged") || attempt === mostAttempts) throw error;
    }
  }
}

/** One that is damaged is written anew. */
async function usableDocument(store: Store, signal?: AbortSignal): Promise<Buffer | undefined> {
  try {
    return await keptDocument(store, signal);
  } catch (error) {
    if (!isDamage(error)) throw error;
    return undefined;
  }
}

/** For subscribers: the vaults that the events are about, as they are now. */
export async function keepChangedVaults(
  { database, stores, describeVault, report }: VaultDocumentParts,
  events: readonly { readonly subject: string }[],
  signal: AbortSignal,
): Promise<void> {
  for (const key of new Set(events.map(({ subject }) => subject))) {
    const vault = await findVault(database.kysely, key);
    if (vault === undefined || (await stores.find(vaultStore(vault.guid))) === undefined) continue;
    try {
      await using opened = await stores.open(vaultStore(vault.guid));
      await keepVaultDocument(describeVault, opened.vault, vault, signal);
    } catch (error) {
      signal.throwIfAborted();
      report(error); // the next backup writes it
    }
  }
}
