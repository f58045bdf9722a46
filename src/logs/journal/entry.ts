// What one frame of the journal says: the rows of a batch, table by table, and where they came from.
// A version byte, the length of the head, the head as JSON, then the texts of the columns in the
// head's order.

import { z } from "zod";
import { logErrors } from "../errors.ts";
import type { RowBlock } from "../rows/row-block.ts";
import { largestPayload, newFrame, payloadOf } from "./frames.ts";

/** Where a batch comes from; a position that has been taken in is not taken in again. */
export interface Origin {
  readonly source: string;
  readonly position: number;
}

export interface JournalEntry {
  readonly origin: Origin | undefined;
  /** When it came. */
  readonly at?: number | undefined;
  /** Which counts of usage its rows tell. */
  readonly told?: Readonly<Record<string, number>> | undefined;
  readonly blocks: readonly RowBlock[];
}

const version = 2;
const prefixLength = 5;

const headSchema = z.object({
  origin: z.object({ source: z.string(), position: z.number() }).optional(),
  at: z.number().optional(),
  told: z.record(z.string(), z.number()).optional(),
  blocks: z.array(
    z.object({
      workspace: z.string(),
      table: z.string(),
      count: z.number(),
      columns: z.array(z.object({ name: z.string(), bytes: z.number(), isEscaped: z.boolean() })),
    }),
  ),
});

export function entryFrame({ origin, at: arrived, told, blocks }: JournalEntry): Buffer {
  let bytes = 0;
  const head: z.input<typeof headSchema> = {
    origin,
    at: arrived,
    told,
    blocks: blocks.map((block) => ({
      ...block,
      columns: block.columns.map(({ name, text, isEscaped }) => {
        const length = Buffer.byteLength(text);
        bytes += length;
        return { name, bytes: length, isEscaped };
      }),
    })),
  };
  const headText = Buffer.from(JSON.stringify(head));
  const length = prefixLength + headText.length + bytes;
  if (length > largestPayload)
    throw logErrors.RecordTooLarge(`A batch has ${length} bytes; ${largestPayload} are allowed.`);
  const frame = newFrame(length);
  const payload = payloadOf(frame);
  payload.writeUInt8(version, 0);
  payload.writeUInt32LE(headText.length, 1);
  let at = prefixLength + headText.copy(payload, prefixLength);
  for (const { columns } of blocks) for (const { text } of columns) at += payload.write(text, at);
  return frame;
}

export function readEntry(payload: Buffer): JournalEntry {
  if (payload.readUInt8(0) !== version)
    throw logErrors.JournalDamaged(`The journal has a batch of version ${payload.readUInt8(0)}, not ${version}.`);
  let at = prefixLength + payload.readUInt32LE(1);
  const head = headSchema.parse(JSON.parse(payload.toString("utf8", prefixLength, at)));
  return {
    origin: head.origin,
    at: head.at,
    told: head.told,
    blocks: head.blocks.map((block) => ({
      ...block,
      columns: block.columns.map(({ name, bytes, isEscaped }) => {
        const text = payload.toString("utf8", at, at + bytes);
        at += bytes;
        return { name, text, isEscaped };
      }),
    })),
  };
}
