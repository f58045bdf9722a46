// What retention says, carried out for one item. A point leaves the control data first and the stores
// afterwards: what is listed can be restored, and bytes that a crash left behind are found by the sweep.

import type { Database } from "../../db/database.ts";
import { isErrorCode } from "../../lib/errors.ts";
import { faultPoint } from "../../lib/faults.ts";
import { deletePoint, parsePointName, readPoint, type Vault as Store } from "../../store/index.ts";
import type { Policy } from "../policy/policy.ts";
import { ownDoer } from "../protection/item-events.ts";
import type { ProtectedItem } from "../protection/item.ts";
import { planRetention, type RetainedPoint, type RetentionPlan, type Verdict } from "../retention/retention.ts";
import type { OpenVaults } from "../stores/stores.ts";
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

/** Of a stopped item nothing goes: `policy` is undefined for it. */
export async function retainItem(
  database: Database,
  opened: OpenVaults,
  item: ProtectedItem,
  policy: Policy | undefined,
  signal?: AbortSignal,
): Promise<{ readonly deleted: number }> {
  if (policy === undefined || item.deletion !== undefined) return { deleted: 0 };
  const now = database.clock.now();
  const points = await listPointsOf(database.kysely, item.key);
  const { verdicts } = planItemRetention(policy, points, now);
  let deleted = 0;
  for (const verdict of verdicts) {
    signal?.throwIfAborted();
    const { point } = verdict.point;
    if (verdict.isDeleted) {
      if (await dropPoint(database, opened, point, signal)) deleted += 1;
    } else await noteVerdict(database, opened, verdict, now, signal);
  }
  return { deleted };
}

/** False when a lock holds the point. */
export async function dropPoint(
  database: Database,
  opened: OpenVaults,
  point: RecoveryPoint,
  signal?: AbortSignal,
): Promise<boolean> {
  if (await isLocked(opened, point, database.clock.now(), signal)) return false;
  await database.transaction((trx) => removePoint(trx, point, ownDoer(point.jobId)));
  faultPoint("retention.row-removed");
  if (opened.hot !== undefined) await deleteStored(opened.hot, point.storePoint, signal);
  await deleteStored(opened.vault, point.storePoint, signal);
  return true;
}

export async function deleteStored(store: Store, storePoint: string, signal?: AbortSignal): Promise<void> {
  try {
    await deletePoint(store, parsePointName(storePoint), signal);
  } catch (error) {
    if (!isErrorCode(error, "PointMissing")) throw error;
  }
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
    if (isErrorCode(error, "PointMissing")) return false;
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
