// The point that the next one of a chain is compared with. The store decides which it is, never the
// host: what the store has not committed does not count, whatever the host's bitmaps say.

import type { SnapshotRequest } from "../../hosts/host.ts";
import type { PointName } from "../../store/format/object-names.ts";
import type { Vault } from "../../store/index.ts";
import { newestPoint } from "../../store/points/points.ts";
import { finishCommitted } from "../../store/session/finish-committed.ts";
import { readSessions } from "../../store/session/session-records.ts";
import { capturedFacts } from "./captured-point.ts";

export interface LastPoint {
  readonly name: PointName;
  /** Undefined when the host cannot know the changes since: another chain, or no point of a machine. */
  readonly since: NonNullable<SnapshotRequest["since"]> | undefined;
}

export async function findLastPoint(
  vault: Vault,
  item: string,
  chain: string,
  signal?: AbortSignal,
): Promise<LastPoint | undefined> {
  // A predecessor may have died between its decision and its point; then its bitmaps are the last ones.
  for (const session of await readSessions(vault.store, vault.keys, signal)) {
    if (session.end?.outcome === "committed") await finishCommitted(vault, session, signal);
  }
  const point = await newestPoint(vault, item, signal);
  if (point === undefined) return undefined;
  const facts = capturedFacts(point);
  if (facts?.chain !== chain) return { name: point.name, since: undefined };
  const sizes = Object.fromEntries(point.disks.map(({ name, size }) => [name, size]));
  const images = Object.fromEntries(facts.disks.flatMap(({ id, image }) => (image === undefined ? [] : [[id, image]])));
  return { name: point.name, since: { point: facts.mark, sizes, images } };
}
