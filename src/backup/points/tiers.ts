// A vault's stores and in which of them a point is. The first backup of a vault makes its store where its
// settings say; from then on the place is the store's own.

import { isErrorCode } from "../../lib/errors.ts";
import type { OpenVaults, Stores } from "../stores/stores.ts";
import { vaultStore } from "../stores/store-name.ts";
import { isDamage } from "../../store/damage.ts";
import { parsePointName, readPoint, type Point, type Vault as Store } from "../../store/index.ts";
import type { Vault } from "../vaults/vaults.ts";
import { pointErrors } from "./errors.ts";
import type { RecoveryPoint } from "./point.ts";

/** Makes the store if it is not there yet, or was only begun when the process that made it died. */
export async function ensureVaultStore(stores: Stores, vault: Vault, signal?: AbortSignal): Promise<void> {
  const name = vaultStore(vault.guid);
  if ((await stores.find(name)) !== undefined) {
    try {
      await using _opened = await stores.open(name);
      return;
    } catch (error) {
      const isHalfMade = isErrorCode(error, "VaultMissing") || isErrorCode(error, "StoreMissing");
      // A place with a credential is made by whoever gave it, and again by them if that broke off.
      if (!isHalfMade || vault.settings.place.location.kind !== "folder") throw error;
    }
  }
  const { location, hot } = vault.settings.place;
  await stores.create(name, { location, ...(hot === undefined ? {} : { hot }) }, signal);
}

/** Disposing gives it back. */
export function openVaultStore(stores: Stores, vault: Pick<Vault, "guid">): Promise<OpenVaults> {
  return stores.open(vaultStore(vault.guid));
}

/** Throws for a point that is broken. */
export function mustBeWhole(point: RecoveryPoint): void {
  if (point.problems === undefined) return;
  throw pointErrors.RecoveryPointBroken(
    `The recovery point ${point.id} cannot be restored: ${point.problems[0] ?? ""}`,
  );
}

/** In which tiers a point is, and its name in both. */
export type TieredPoint = Pick<RecoveryPoint, "storePoint" | "isInSnapshotTier" | "isInVaultTier">;

/** From the snapshot tier while it is there, else from the vault. */
export async function readFromTiers(
  opened: OpenVaults,
  { storePoint, isInSnapshotTier, isInVaultTier }: TieredPoint,
  signal?: AbortSignal,
): Promise<{ readonly store: Store; readonly point: Point }> {
  const name = parsePointName(storePoint);
  const { hot, vault } = opened;
  if (isInSnapshotTier && hot !== undefined) {
    try {
      return { store: hot, point: await readPoint(hot, name, "points", signal) };
    } catch (error) {
      if (!isErrorCode(error, "PointMissing") && !isDamage(error)) throw error;
      if (!isInVaultTier) {
        throw pointErrors.UserErrorInstantRpNotFound(
          `The snapshot ${name} is gone from the snapshot tier, and it had not been transferred to the vault.`,
          { cause: error },
        );
      }
    }
  }
  return { store: vault, point: await readPoint(vault, name, "points", signal) };
}
