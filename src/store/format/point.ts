// The document of a recovery point.

import * as z from "zod";
import { storeErrors } from "../errors.ts";
import { maxPointSize, objectKinds } from "./layout.ts";
import type { PointName } from "./object-names.ts";
import { seal, unseal } from "./sealed.ts";
import type { VaultKeys } from "../keys/vault-keys.ts";

const blobIdText = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().nonnegative();

const diskStatisticsSchema = z.object({
  /** Bytes that were read from the disk. */
  bytesRead: count,
  /** Plain bytes that were new to the vault. */
  bytesNew: count,
  /** What they take in packs. */
  bytesStored: count,
});
export type DiskStatistics = z.infer<typeof diskStatisticsSchema>;

const diskSchema = z.object({
  name: z.string().min(1).max(200),
  size: count,
  /** Undefined when the disk is one hole. */
  root: blobIdText.optional(),
  level: z.number().int().min(1).max(5),
  statistics: diskStatisticsSchema,
});
export type PointDisk = z.infer<typeof diskSchema>;

const attachmentSchema = z.object({ name: z.string().min(1).max(200), size: count, blobs: z.array(blobIdText) });
export type PointAttachment = z.infer<typeof attachmentSchema>;

const pointSchema = z.object({
  v: z.literal(1),
  item: z.string(),
  id: z.string().regex(/^[0-9a-f]{16}$/),
  /** Milliseconds, by the clock of the server that wrote it. */
  time: count,
  session: z.string(),
  /** The point whose maps this one was compared with. */
  parent: z.string().optional(),
  /** The newest point of the item that the writer saw. */
  previous: z.string().optional(),
  disks: z.array(diskSchema),
  attachments: z.array(attachmentSchema),
  metadata: z.json(),
  lockedUntil: count.optional(),
});
export type PointDocument = z.infer<typeof pointSchema>;
export type Metadata = PointDocument["metadata"];

export function sealPoint(keys: VaultKeys, name: PointName, point: PointDocument): Buffer {
  const content = Buffer.from(JSON.stringify(point), "utf8");
  if (content.length > maxPointSize) {
    throw storeErrors.PointTooLarge(
      `The description of point ${name} has ${content.length} bytes; ${maxPointSize} are allowed. Store large parts as attachments.`,
    );
  }
  return seal(keys, objectKinds.point, name, content);
}

export function openPointDocument(keys: VaultKeys, name: PointName, sealed: Uint8Array): PointDocument {
  const content = unseal(keys, objectKinds.point, name, sealed, maxPointSize, `Point ${name}`);
  return parseDocument(pointSchema, content, `Point ${name}`);
}

/** JSON from a vault, checked: `what` names the object in the error. */
export function parseDocument<T>(schema: z.ZodType<T>, content: Uint8Array, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(content).toString("utf8"));
  } catch (cause) {
    throw storeErrors.ObjectDamaged(`${what} does not hold JSON.`, { cause });
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    throw storeErrors.ObjectDamaged(`${what} does not have the form of its kind: ${z.prettifyError(parsed.error)}`);
  }
  return parsed.data;
}
