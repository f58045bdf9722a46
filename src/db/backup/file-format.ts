// The file of a control data backup, the same from SQLite and from PostgreSQL:
//
//   1 byte    version, 1
//   chunks    4 bytes length (big endian) and that many bytes: records, compressed with zstd
//   4 bytes   zero: no more chunks
//   32 bytes  SHA-256 of everything before
//
// A record is one line of JSON; none is split over chunks. In order: a header; for each table a table
// record and its rows as arrays, tables in the order in which they were made; an end record with the
// number of rows. Bytes are `{"base64": "…"}`.

import { createHash } from "node:crypto";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { z } from "zod";
import type { OpenFile } from "../../lib/files.ts";
import { backupErrors } from "./errors.ts";

export const backupVersion = 1;

export interface BackupHeader {
  readonly kind: "header";
  /** Names of the migrations that the database had. */
  readonly migrations: readonly string[];
  readonly createdAt: number;
}

export type BackupRecord =
  | BackupHeader
  | { readonly kind: "table"; readonly name: string; readonly columns: readonly string[] }
  | { readonly kind: "row"; readonly values: readonly BackupValue[] }
  | { readonly kind: "end"; readonly rows: number };

export type BackupValue = string | number | null | Uint8Array;

const chunkLength = 1024 * 1024;
/** More than one row can take; bounds what a hostile file makes us allocate. */
const maxChunkLength = 64 * 1024 * 1024;

export interface BackupWriter {
  write(record: BackupRecord): Promise<void>;
  /** Ends the file and makes it durable. */
  finish(): Promise<void>;
}

export async function backupWriter(file: OpenFile): Promise<BackupWriter> {
  const hash = createHash("sha256");
  let position = 0;
  let lines: string[] = [];
  let length = 0;

  async function put(bytes: Uint8Array): Promise<void> {
    hash.update(bytes);
    await file.write(bytes, position);
    position += bytes.byteLength;
  }

  async function flush(): Promise<void> {
    if (lines.length === 0) return;
    const chunk = zstdCompressSync(lines.join("\n"));
    lines = [];
    length = 0;
    await put(uint32(chunk.byteLength));
    await put(chunk);
  }

  await put(Uint8Array.of(backupVersion));
  return {
    write: async (record) => {
      const line = JSON.stringify(toJson(record));
      lines.push(line);
      length += line.length;
      if (length >= chunkLength) await flush();
    },
    finish: async () => {
      await flush();
      await put(uint32(0));
      await file.write(hash.digest(), position);
      await file.sync();
    },
  };
}

/** Reads records; throws BackupDamaged at the first thing that is not as written. */
export async function* readBackup(file: OpenFile): AsyncGenerator<BackupRecord> {
  const hash = createHash("sha256");
  let position = 0;

  async function take(length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length);
    if ((await file.read(bytes, position)) < length) throw damaged("it ends too early");
    position += length;
    return bytes;
  }

  async function takeHashed(length: number): Promise<Buffer> {
    const bytes = await take(length);
    hash.update(bytes);
    return bytes;
  }

  const [version] = await takeHashed(1);
  if (version !== backupVersion) {
    throw backupErrors.BackupVersionUnknown(
      `The file is no control data backup of version ${backupVersion}: its first byte is ${version}.`,
    );
  }
  for (;;) {
    const length = (await takeHashed(4)).readUInt32BE();
    if (length === 0) break;
    if (length > maxChunkLength) throw damaged(`a chunk claims ${length} bytes`);
    for (const line of decompress(await takeHashed(length)).split("\n")) yield parseRecord(line);
  }
  const expected = hash.digest();
  if (!expected.equals(await take(32))) throw damaged("its checksum is wrong");
}

function decompress(chunk: Buffer): string {
  try {
    return zstdDecompressSync(chunk, { maxOutputLength: maxChunkLength }).toString("utf8");
  } catch (cause) {
    throw damaged("a chunk does not decompress", cause);
  }
}

const valueShape = z.union([
  z.string(),
  z.number(),
  z.null(),
  z.strictObject({ base64: z.base64() }).transform(({ base64 }) => Buffer.from(base64, "base64")),
]);

/** Only what our own migrations would name; never the database's own tables or the record of migrations. */
const tableName = z.string().regex(/^(?!sqlite_|pg_|schema_migrations$)[a-z][a-z0-9_]*$/);
const columnName = z.string().regex(/^[a-z][a-z0-9_]*$/);

const recordShape = z.union([
  z.array(valueShape).transform((values) => ({ kind: "row" as const, values })),
  z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("header"), migrations: z.array(z.string()), createdAt: z.number() }),
    z.object({ kind: z.literal("table"), name: tableName, columns: z.array(columnName).min(1) }),
    z.object({ kind: z.literal("end"), rows: z.number() }),
  ]),
]);

function parseRecord(line: string): BackupRecord {
  try {
    return recordShape.parse(JSON.parse(line));
  } catch (cause) {
    throw damaged("it holds something that is no record", cause);
  }
}

function toJson(record: BackupRecord): unknown {
  if (record.kind !== "row") return record;
  return record.values.map((value) =>
    value instanceof Uint8Array ? { base64: Buffer.from(value).toString("base64") } : value,
  );
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function damaged(what: string, cause?: unknown): Error {
  return backupErrors.BackupDamaged(`The control data backup is damaged: ${what}.`, { cause });
}
