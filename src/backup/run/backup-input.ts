// What a Backup job is made from.

import * as z from "zod";

export const backupInput = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("scheduled"), dueAt: z.number() }),
  z.object({ kind: z.literal("onDemand"), dueAt: z.number(), expiresAt: z.number() }),
]);
export type BackupInput = z.output<typeof backupInput>;

export const takeSnapshotTask = "Take Snapshot";
export const transferTask = "Transfer data to vault";
export const backupTasks = [takeSnapshotTask, transferTask] as const;
