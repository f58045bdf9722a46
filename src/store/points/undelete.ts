// Taking a deletion back, as long as no collection has removed the point for good.

import { randomBytes } from "../../lib/random.ts";
import type { PointName } from "../format/object-names.ts";
import { removeSession, writeOpen } from "../session/session-records.ts";
import type { Vault } from "../vault.ts";
import { listPointNames, movePoint, readPoint, type Point } from "./points.ts";

export function listDeletedPoints(vault: Vault, item?: string, signal?: AbortSignal): Promise<PointName[]> {
  return listPointNames(vault, "deleted", item, signal);
}

/** As a session that names the point: a collection at work leaves it alone until the move is done. */
export async function undeletePoint(vault: Vault, name: PointName, signal?: AbortSignal): Promise<Point> {
  const session = randomBytes(8).toString("hex");
  await writeOpen(vault.store, vault.keys, session, [name], vault.clock.now(), signal);
  try {
    await readPoint(vault, name, "deleted", signal);
    await movePoint(vault, name, "deleted", "points", signal);
    return await readPoint(vault, name, "points", signal);
  } finally {
    await removeSession(vault.store, session);
  }
}
