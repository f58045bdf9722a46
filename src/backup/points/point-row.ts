// From a point in a store to its row: when a backup has made it, and when a vault is attached again.

import type { RecoveryPointRow } from "../../db/schema/backup.ts";
import { mustBeCaptured, type CapturedFacts } from "../capture/index.ts";
import type { PointDetails } from "../run/point-content.ts";
import type { Point } from "../../store/index.ts";
import type { PointConsistency, PointFacts } from "./point.ts";

export interface PointPlace {
  readonly vaultKey: string;
  readonly itemKey: string;
  readonly isInSnapshotTier: boolean;
  readonly isInVaultTier: boolean;
}

export function rowOfPoint(point: Point, details: PointDetails, place: PointPlace): RecoveryPointRow {
  const facts = mustBeCaptured(point);
  return {
    id: details.id,
    vault_key: place.vaultKey,
    item_key: place.itemKey,
    job_id: details.job,
    store_point: point.name,
    taken_at: facts.takenAt,
    is_in_snapshot_tier: place.isInSnapshotTier ? 1 : 0,
    is_in_vault_tier: place.isInVaultTier ? 1 : 0,
    consistency: consistencyOf[facts.consistency.level],
    origin: details.origin,
    due_at: details.dueAt,
    marks: details.marks === undefined ? null : JSON.stringify(details.marks),
    expires_at: details.expiresAt ?? null,
    rule: details.origin === "onDemand" ? "onDemand" : "instant",
    keep_until: details.expiresAt ?? null,
    facts: JSON.stringify(factsOf(facts, details)),
    problems: null,
    verified_at: null,
    is_soft_deleted: 0,
    keys: details.keys === undefined ? null : JSON.stringify(details.keys),
    recovery_session_until: null,
  };
}

const consistencyOf: Readonly<Record<CapturedFacts["consistency"]["level"], PointConsistency>> = {
  application: "AppConsistent",
  fileSystem: "FileSystemConsistent",
  crash: "CrashConsistent",
};

function factsOf(facts: CapturedFacts, details: PointDetails): PointFacts {
  const shown = ({ id, name, lun, sizeBytes }: CapturedFacts["disks"][number]): PointFacts["disks"][number] => ({
    id,
    name,
    lun,
    sizeBytes,
  });
  const { reason, explanation, frozenMilliseconds } = facts.consistency;
  return {
    osType: details.osType,
    vmSize: details.vmSize,
    disks: facts.disks.map(shown),
    excluded: facts.excluded.map(shown),
    ...(reason === undefined ? {} : { reason }),
    ...(explanation === undefined ? {} : { explanation }),
    ...(frozenMilliseconds === undefined ? {} : { frozenMilliseconds }),
    cutMilliseconds: facts.cutMilliseconds,
    remarks: facts.remarks,
    policyName: details.policyName,
  };
}
