// A vault whose server is lost, brought back into another one: its store is taken over, and what its
// points tell of themselves becomes items, points and policies again. Doing it twice adds what is missing.

import type { Database } from "../../db/database.ts";
import { HoldfastError } from "../../lib/errors.ts";
import { isDamage } from "../../store/damage.ts";
import {
  keptDocument,
  listPoints,
  readAttachment,
  type KeyProvider,
  type Point,
  type Vault as Store,
} from "../../store/index.ts";
import { insertPoint } from "../points/record-point.ts";
import { rowOfPoint } from "../points/point-row.ts";
import { parsePolicy } from "../policy/parse-policy.ts";
import { findItem, findItemOfMachine } from "../protection/item.ts";
import { itemIdOf } from "../protection/names.ts";
import { newItemRow } from "../protection/new-item.ts";
import { detailsOf, policyAttachment, type PointDetails } from "../run/point-content.ts";
import { vaultStore } from "../stores/store-name.ts";
import type { StoreDraft, Stores } from "../stores/stores.ts";
import { findPolicy, savePolicy, type Doer } from "../vaults/policies.ts";
import type { Vault, Writer } from "../vaults/vaults.ts";
import { attachErrors } from "./errors.ts";

export interface Attached {
  readonly items: number;
  readonly points: number;
  readonly policies: readonly string[];
  /** What the store says of the vault itself; undefined when it was attached before, and may have changed since. */
  readonly document: Buffer | undefined;
  /** What could not be brought back, and why. */
  readonly problems: readonly string[];
}

export interface AttachRequest {
  readonly vault: Vault;
  readonly draft: StoreDraft;
  /** Opens the store now: its platform key file, or a recovery key. */
  readonly opener: KeyProvider;
  readonly by: Doer;
}

export async function attachVault(
  database: Database,
  stores: Stores,
  { vault, draft, opener, by }: AttachRequest,
  signal?: AbortSignal,
): Promise<Attached> {
  const name = vaultStore(vault.guid);
  const isFirst = (await stores.find(name)) === undefined;
  if (isFirst) await stores.attach(name, draft, opener, signal);
  else await mustBeThere(database, vault);
  await using opened = await stores.open(name);
  const { points, problems } = await listPoints(opened.vault, undefined, signal);
  const said = problems.map((problem) => problem.message);
  const policies = new Set<string>();
  const items = new Set<string>();
  let count = 0;
  for (const point of points) {
    signal?.throwIfAborted();
    const details = detailsOf(point);
    if (details === undefined) {
      said.push(`The point ${point.name} was not made by a vault's backup.`);
      continue;
    }
    try {
      const policy = await policyOf(opened.vault, point, signal);
      const key = await database.transaction(async (trx) => {
        if (policy !== undefined && (await findPolicy(trx, vault, policy.name)) === undefined) {
          await savePolicy(trx, vault, policy.name, policy.policy, by);
          policies.add(policy.name);
        }
        const item = await ensureItem(trx, vault, details);
        await insertPoint(trx, rowOfPoint(point, details, placeOf(vault, item)), by);
        return item;
      });
      items.add(key);
      count += 1;
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      said.push(`The point ${point.name}: ${error.message}`);
    }
  }
  const document = isFirst ? await readDocument(opened.vault, said, signal) : undefined;
  return { items: items.size, points: count, policies: [...policies].toSorted(), document, problems: said };
}

/** The points count without it: damage is said, and the attach goes on. */
async function readDocument(store: Store, said: string[], signal?: AbortSignal): Promise<Buffer | undefined> {
  try {
    return await keptDocument(store, signal);
  } catch (error) {
    if (!isDamage(error)) throw error;
    said.push("What the store keeps of the vault's settings is damaged: set the vault as it was before.");
    return undefined;
  }
}

/** A vault that has points of its own is not mixed with another one's. */
async function mustBeThere(database: Database, vault: Vault): Promise<void> {
  const own = await database.kysely
    .selectFrom("protected_items")
    .select("key")
    .where("vault_key", "=", vault.key)
    .where("state", "!=", "ProtectionStopped")
    .executeTakeFirst();
  if (own === undefined) return;
  throw attachErrors.VaultNotEmpty(`The vault ${vault.name} protects machines already.`, { target: vault.id });
}

function placeOf(
  vault: Vault,
  itemKey: string,
): { vaultKey: string; itemKey: string; isInSnapshotTier: boolean; isInVaultTier: boolean } {
  return { vaultKey: vault.key, itemKey, isInSnapshotTier: false, isInVaultTier: true };
}

/** Stopped, until somebody resumes it: whether the machine is there is not known. */
async function ensureItem(trx: Writer, vault: Vault, details: PointDetails): Promise<string> {
  const machineId = inSubscriptionOf(vault, details.machineId);
  const id = itemIdOf(vault.id, machineId);
  const known = await findItem(trx, id);
  if (known !== undefined) return known.key;
  const elsewhere = await findItemOfMachine(trx, machineId);
  if (elsewhere !== undefined) {
    throw attachErrors.MachineProtectedElsewhere(
      `'${details.friendlyName}' is protected by the vault ${elsewhere.vaultKey}.`,
    );
  }
  const row = newItemRow({
    vault,
    machineId,
    friendlyName: details.friendlyName,
    itemId: details.itemId,
    storeItem: details.storeItem,
    policyKey: null,
    state: "ProtectionStopped",
    disks: details.disks === undefined ? null : JSON.stringify(details.disks),
    lastRunAt: 0,
    lastBackupStatus: "Completed",
    createdAt: details.dueAt,
  });
  await trx.insertInto("protected_items").values(row).execute();
  return row.key;
}

/** Another server has other subscriptions; group and name stay. */
function inSubscriptionOf(vault: Vault, machineId: string): string {
  const own = vault.id.split("/")[2] ?? "";
  return machineId.replace(/^\/subscriptions\/[^/]+/i, `/subscriptions/${own}`);
}

async function policyOf(
  store: Store,
  point: Point,
  signal: AbortSignal | undefined,
): Promise<{ name: string; policy: ReturnType<typeof parsePolicy> } | undefined> {
  if (!point.attachments.some(({ name }) => name === policyAttachment)) return undefined;
  const content = JSON.parse((await readAttachment(store, point, policyAttachment, signal)).toString("utf8")) as {
    name: string;
    properties: unknown;
  };
  return { name: content.name, policy: parsePolicy(content.properties) };
}
