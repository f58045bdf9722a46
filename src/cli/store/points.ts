// `store points`

import { isoTime } from "../../lib/clock.ts";
import { listPoints, type Point } from "../../store/index.ts";
import { amount, table } from "./amounts.ts";
import { print, withVault, type VaultAccess } from "./context.ts";

export function showPoints(options: VaultAccess & { readonly item?: string }): Promise<void> {
  return withVault(options, "read", async (vault, signal) => {
    const { points, problems } = await listPoints(vault, options.item, signal);
    const rows = points.map((point) => [
      point.name,
      isoTime(point.time),
      point.disks.map(({ name, size }) => `${name} ${amount(size)}`).join(", "),
      amount(point.disks.reduce((sum, { statistics }) => sum + statistics.bytesStored, 0)),
    ]);
    const text = [
      points.length === 0 ? "No recovery points." : table(["point", "time", "disks", "stored"], rows),
      ...problems.map(({ message }) => `PROBLEM: ${message}`),
    ].join("\n");
    print(options, { points: points.map(describePoint), problems }, text);
  });
}

export function describePoint(point: Point) {
  return {
    point: point.name,
    item: point.item,
    time: isoTime(point.time),
    parent: point.parent,
    lockedUntil: point.lockedUntil === undefined ? undefined : isoTime(point.lockedUntil),
    disks: point.disks.map(({ name, size, statistics }) => ({ name, size, ...statistics })),
    attachments: point.attachments.map(({ name, size }) => ({ name, size })),
    metadata: point.metadata,
  };
}
