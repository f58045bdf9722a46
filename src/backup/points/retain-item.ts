// What retention says, carried out for one item. A point leaves the control data first and the stores
// afterwards: what is listed can be restored, and bytes that a crash left behind are found by the sweep.

import type { Database } from "../../db/database.ts";
import { deletionTime } from "../../db/deletion-time.ts";
import { isErrorCode } from "../../lib/errors.ts";
import { faultPoint } from "../../lib/faults.ts";
import { isDamage } from "../../store/damage.ts";
import { parsePointName, readPoint } from "../../store/index.ts";
import type { Policy } from "../policy/policy.ts";
import { ownDoer } from "../protection/item-events.ts";
import { findItem } from "../protection/item.ts";
import { planRetention, type RetainedPoint, type RetentionPlan, type Verdict } from "../retention/retention.ts";
import type { OpenVaults } from "../stores/stores.ts";
import { findPolicy, type StoredPolicy } from "../vaults/policies.ts";
import type { Reader, Writer } from "../vaults/vaults.ts";
import { deleteStored } from "./delete-stored.ts";
import { listPointsOf, type RecoveryPoint } from "./point.ts";
import { changePoint, removePoint } from "./record-point.ts";

interface ItemPoint extends RetainedPoint {
  readonly point: RecoveryPoint;
}

/** The dry run: what would be kept until when, and what would go. */
export function planItemRetention(
  policy: Policy,
  points: readonly RecoveryPoint[],
  now: number,
): RetentionPlan<ItemPoint> {
  return planRetention(policy, points.map(retained), now);
}

/**
 * By the policy that the item has now, and only as long as it has it: whoever lengthens a policy, or stops the
 * protection, while a long backup or a long round is under way loses nothing by what held before.
 */
export async function retainItem(
  database: Database,
  opened: OpenVaults,
  itemKey: string,
  signal?: AbortSignal,
): Promise<{ readonly deleted: number }> {
  const stored = await policyOfItem(database.kysely, itemKey);
  if (stored === undefined) return { deleted: 0 };
  const now = await deletionTime(database.kysely, database.clock);
  const points = await listPointsOf(database.kysely, itemKey);
  const { verdicts } = planItemRetention(stored.policy, points, now);
  let deleted = 0;
  for (const verdict of verdicts) {
    signal?.throwIfAborted();
    const { point } = verdict.point;
    if (!verdict.isDeleted) await noteVerdict(database, opened, verdict, now, signal);
    else if (!(await isLocked(opened, point, now, signal))) {
      if (!(await dropPoint(database, opened, point, stored.etag, signal))) break;
      deleted += 1;
    }
  }
  return { deleted };
}

/** Undefined for items of which nothing goes: they are stopped, or deleted as a whole. */
async function policyOfItem(reader: Reader, itemKey: string): Promise<StoredPolicy | undefined> {
  const item = await findItem(reader, itemKey);
  if (item?.policyKey === undefined || item.deletion !== undefined) return undefined;
  return findPolicy(reader, { key: item.vaultKey }, item.policyKey);
}

/** False, and nothing is dropped, when the item's policy is not the one with this etag any more. */
async function dropPoint(
  database: Database,
  opened: OpenVaults,
  point: RecoveryPoint,
  policyEtag: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const isRemoved = await database.transaction(async (trx: Writer) => {
    if ((await policyOfItem(trx, point.itemKey))?.etag !== policyEtag) return false;
    await removePoint(trx, point, ownDoer(point.jobId));
    return true;
  });
  if (!isRemoved) return false;
  faultPoint("retention.row-removed");
  if (opened.hot !== undefined) await deleteStored(opened.hot, point.storePoint, signal);
  await deleteStored(opened.vault, point.storePoint, signal);
  return true;
}

async function isLocked(
  { vault }: OpenVaults,
  point: RecoveryPoint,
  now: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (!point.isInVaultTier) return false;
  try {
    const { lockedUntil } = await readPoint(vault, parsePointName(point.storePoint), "points", signal);
    return lockedUntil !== undefined && lockedUntil > now;
  } catch (error) {
    // What is damaged is of no use to anybody, and must not keep all other points from going.
    if (isErrorCode(error, "PointMissing") || isDamage(error)) return false;
    throw error;
  }
}

/** Remembers why the point stays, and empties its place in the snapshot tier when that is over. */
async function noteVerdict(
  database: Database,
  opened: OpenVaults,
  verdict: Verdict<ItemPoint>,
  now: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { point } = verdict.point;
  const { rule, keepUntil } = verdict;
  if (point.rule !== rule || point.keepUntil !== keepUntil) {
    await database.kysely
      .updateTable("recovery_points")
      .set({ rule, keep_until: keepUntil ?? null })
      .where("id", "=", point.id)
      .execute();
  }
  const leavesSnapshotTier =
    point.isInSnapshotTier && point.isInVaultTier && verdict.instantUntil <= now && !verdict.isNewest;
  if (!leavesSnapshotTier || opened.hot === undefined) return;
  await database.transaction((trx) =>
    changePoint(trx, point.id, { is_in_snapshot_tier: 0 }, "point.moved", ownDoer(point.jobId)),
  );
  faultPoint("retention.row-left-tier");
  await deleteStored(opened.hot, point.storePoint, signal);
}

function retained(point: RecoveryPoint): ItemPoint {
  const { id, takenAt, dueAt, marks, expiresAt, problems } = point;
  return {
    id,
    time: takenAt,
    origin: point.origin === "scheduled" ? { kind: "scheduled", dueAt, marks } : { kind: "onDemand", expiresAt },
    broken: problems !== undefined,
    point,
  };
}
