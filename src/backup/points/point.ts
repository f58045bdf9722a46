// A recovery point as the control data knows it. Its bytes and all that a restore needs are in the store
// under `storePoint`; this row makes it quick to list and says what may become of it.

import * as z from "zod";
import type { RecoveryPointRow } from "../../db/schema/backup.ts";
import { remarkSchema } from "../capture/remarks.ts";
import { diskKeyNames, type DiskKeyNames } from "../keys/disk-keys.ts";
import type { PointMarks } from "../retention/marks.ts";
import type { Reader } from "../vaults/vaults.ts";
import { pointErrors } from "./errors.ts";

export type PointConsistency = "AppConsistent" | "FileSystemConsistent" | "CrashConsistent";

const pointDisk = z.object({
  /** Its name in the store. */
  id: z.string(),
  name: z.string(),
  lun: z.number(),
  sizeBytes: z.number(),
});

/** What lists show of the machine and of how the point came about. */
export const pointFacts = z.object({
  osType: z.string(),
  vmSize: z.string(),
  disks: z.array(pointDisk),
  excluded: z.array(pointDisk),
  /** Why the consistency is not the one that was wanted. */
  reason: z.string().optional(),
  explanation: z.string().optional(),
  frozenMilliseconds: z.number().optional(),
  cutMilliseconds: z.number(),
  remarks: z.array(remarkSchema),
  policyName: z.string(),
});
export type PointFacts = z.output<typeof pointFacts>;

export interface RecoveryPoint {
  /** Digits: its name on the wire. */
  readonly id: string;
  readonly vaultKey: string;
  readonly itemKey: string;
  readonly jobId: string;
  /** Its name in the store, the same in both tiers. */
  readonly storePoint: string;
  readonly takenAt: number;
  readonly isInSnapshotTier: boolean;
  readonly isInVaultTier: boolean;
  readonly consistency: PointConsistency;
  readonly origin: "scheduled" | "onDemand";
  /** When its run was due. */
  readonly dueAt: number;
  readonly marks: PointMarks | undefined;
  /** Of a point on demand. */
  readonly expiresAt: number | undefined;
  /** Which rule keeps it until when, as retention said last; no end: for ever. */
  readonly rule: string;
  readonly keepUntil: number | undefined;
  readonly facts: PointFacts;
  /** Why it cannot be restored; undefined while it is whole. */
  readonly problems: readonly string[] | undefined;
  readonly verifiedAt: number | undefined;
  readonly isSoftDeleted: boolean;
  /** Which keys its encrypted disks need; undefined when none is encrypted. */
  readonly keys: DiskKeyNames | undefined;
  /** Files are being recovered from it until then. */
  readonly recoverySessionUntil: number | undefined;
}

/** From the oldest to the newest. */
export async function listPointsOf(reader: Reader, itemKey: string): Promise<RecoveryPoint[]> {
  const rows = await reader
    .selectFrom("recovery_points")
    .selectAll()
    .where("item_key", "=", itemKey)
    .orderBy("taken_at")
    .orderBy("id")
    .execute();
  return rows.map(pointFromRow);
}

/** From the newest to the oldest; `after` is the key of a point (`pointKey`). */
export async function pagePoints(
  reader: Reader,
  itemKey: string,
  filter: { readonly from?: number; readonly to?: number },
  page: { readonly after?: string; readonly limit: number },
): Promise<RecoveryPoint[]> {
  let select = reader.selectFrom("recovery_points").selectAll().where("item_key", "=", itemKey);
  if (filter.from !== undefined) select = select.where("taken_at", ">=", filter.from);
  if (filter.to !== undefined) select = select.where("taken_at", "<=", filter.to);
  if (page.after !== undefined) {
    const [takenAt = "", id = ""] = page.after.split("/");
    // The first condition lets the index begin where the page does.
    select = select
      .where("taken_at", "<=", Number(takenAt))
      .where(({ eb, or, and }) =>
        or([eb("taken_at", "<", Number(takenAt)), and([eb("taken_at", "=", Number(takenAt)), eb("id", "<", id)])]),
      );
  }
  const rows = await select.orderBy("taken_at", "desc").orderBy("id", "desc").limit(page.limit).execute();
  return rows.map(pointFromRow);
}

export function pointKey({ takenAt, id }: Pick<RecoveryPoint, "takenAt" | "id">): string {
  return `${takenAt}/${id}`;
}

export async function getPoint(reader: Reader, itemKey: string, id: string): Promise<RecoveryPoint> {
  const row = await reader
    .selectFrom("recovery_points")
    .selectAll()
    .where("id", "=", id)
    .where("item_key", "=", itemKey)
    .executeTakeFirst();
  if (row !== undefined) return pointFromRow(row);
  throw pointErrors.BMSUserErrorRecoveryPointNotFound(`The item has no recovery point '${id.slice(0, 100)}'.`, {
    target: id,
  });
}

export function pointFromRow(row: RecoveryPointRow): RecoveryPoint {
  return {
    id: row.id,
    vaultKey: row.vault_key,
    itemKey: row.item_key,
    jobId: row.job_id,
    storePoint: row.store_point,
    takenAt: row.taken_at,
    isInSnapshotTier: row.is_in_snapshot_tier === 1,
    isInVaultTier: row.is_in_vault_tier === 1,
    consistency: row.consistency as PointConsistency,
    origin: row.origin as RecoveryPoint["origin"],
    dueAt: row.due_at,
    marks: row.marks === null ? undefined : (JSON.parse(row.marks) as PointMarks),
    expiresAt: row.expires_at ?? undefined,
    rule: row.rule,
    keepUntil: row.keep_until ?? undefined,
    facts: JSON.parse(row.facts) as PointFacts,
    problems: row.problems === null ? undefined : (JSON.parse(row.problems) as string[]),
    verifiedAt: row.verified_at ?? undefined,
    isSoftDeleted: row.is_soft_deleted === 1,
    keys: row.keys === null ? undefined : diskKeyNames.parse(JSON.parse(row.keys)),
    recoverySessionUntil: row.recovery_session_until ?? undefined,
  };
}
