// A point as people name it: its full name, or ITEM/latest.

import { newestPoint, parsePointName, readPoint, type Point, type Vault, storeErrors } from "../../store/index.ts";

export async function findPoint(vault: Vault, text: string, signal: AbortSignal): Promise<Point> {
  if (!text.endsWith("/latest")) return readPoint(vault, parsePointName(text), "points", signal);
  const item = text.slice(0, -"/latest".length);
  const point = await newestPoint(vault, item, signal);
  if (point !== undefined) return point;
  throw storeErrors.PointMissing(`${item} has no recovery point in ${vault.store.location}.`);
}
