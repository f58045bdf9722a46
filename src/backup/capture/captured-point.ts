// What a point says of the machine and the moment that it was made of. It stands in the point itself,
// so a store tells all of it without a database.

import * as z from "zod";
import type { Point } from "../../store/index.ts";
import { capturedBoot } from "./boot-files.ts";
import { captureErrors } from "./errors.ts";
import { capturedFirmware } from "./firmware.ts";
import { remarkSchema } from "./remarks.ts";

const bytes = z.number().int().nonnegative();

const diskSchema = z.object({
  /** Also the disk's name in the store. */
  id: z.string(),
  name: z.string(),
  /** -1 for the system disk. */
  lun: z.number().int(),
  sizeBytes: bytes,
  format: z.string(),
  /** In which file it lay, as its host tells it apart. */
  image: z.string().optional(),
});

const consistencySchema = z.object({
  level: z.enum(["application", "fileSystem", "crash"]),
  /** Why it is not the level that was wanted. */
  reason: z.string().optional(),
  explanation: z.string().optional(),
  frozenMilliseconds: z.number().optional(),
  fileSystems: z.number().optional(),
  hasWatchdog: z.boolean().optional(),
});
export type CapturedConsistency = z.output<typeof consistencySchema>;

const capturedSchema = z.object({
  v: z.literal(1),
  kind: z.literal("machine"),
  /** Whose increments these are, and the name of the bitmaps that record from this point on. */
  chain: z.string(),
  mark: z.string(),
  /** When the disks were cut, milliseconds. */
  takenAt: z.number(),
  cutMilliseconds: z.number(),
  machine: z.object({
    id: z.string(),
    name: z.string(),
    hostKind: z.string(),
    powerState: z.enum(["running", "paused", "stopped"]),
    memoryBytes: bytes.optional(),
    processors: z.number().optional(),
  }),
  wanted: z.enum(["application", "fileSystem", "crash"]),
  consistency: consistencySchema,
  disks: z.array(diskSchema),
  excluded: z.array(diskSchema.extend({ reason: z.enum(["Excluded", "ReadOnly"]) })),
  /** The kernel that the host gave the machine; absent when its system disk boots by itself. */
  boot: capturedBoot.optional(),
  /** Absent where the machine has a BIOS. */
  firmware: capturedFirmware.optional(),
  remarks: z.array(remarkSchema),
  /** The caller's own part. */
  details: z.json(),
});
export type CapturedFacts = z.output<typeof capturedSchema>;

/** The facts of a point that a capture made; undefined for points of other kinds. */
export function capturedFacts(point: Point): CapturedFacts | undefined {
  const parsed = capturedSchema.safeParse(point.metadata);
  return parsed.success ? parsed.data : undefined;
}

export function mustBeCaptured(point: Point): CapturedFacts {
  const facts = capturedFacts(point);
  if (facts !== undefined) return facts;
  throw captureErrors.NotACapturedPoint(`The point ${point.name} does not tell of which machine it was made.`);
}
