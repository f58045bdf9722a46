// A point goes from a store whose row is gone already. Whoever calls this may have been here before.

import { isErrorCode } from "../../lib/errors.ts";
import { isDamage } from "../../store/damage.ts";
import { deletePoint, parsePointName, type Vault as Store } from "../../store/index.ts";
import { movePoint } from "../../store/points/points.ts";

/** False when a lock holds it: the sweep comes back for it. */
export async function deleteStored(store: Store, storePoint: string, signal?: AbortSignal): Promise<boolean> {
  const name = parsePointName(storePoint);
  try {
    await deletePoint(store, name, signal);
  } catch (error) {
    if (isErrorCode(error, "PointLocked")) return false;
    // As long as one lies there that does not open, collections delete nothing.
    if (isDamage(error)) await movePoint(store, name, "points", "deleted", signal);
    else if (!isErrorCode(error, "PointMissing")) throw error;
  }
  return true;
}
