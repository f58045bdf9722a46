// The records of collections: sealed JSON, one object a step.

import * as z from "zod";
import { isErrorCode } from "../../lib/errors.ts";
import type { ObjectStore } from "../backends/object-store.ts";
import { objectKinds } from "../format/layout.ts";
import { prefixes } from "../format/object-names.ts";
import { parseDocument } from "../format/point.ts";
import { seal, unseal } from "../format/sealed.ts";
import type { VaultKeys } from "../keys/vault-keys.ts";

const packHash = z.string().regex(/^[0-9a-f]{64}$/);

const recordSchema = z.object({
  v: z.literal(1),
  /** Of a condemnation: every pack that is condemned now, since when, by the service's clock. */
  condemned: z.array(z.object({ hash: packHash, generation: z.number(), at: z.number() })).optional(),
  /** Of a doom. */
  packs: z.array(packHash).optional(),
  /** Of a barrier: sessions that must end first. */
  sessions: z.array(z.string()).optional(),
});
export type CollectionRecord = z.infer<typeof recordSchema>;

export type CollectionStep = "condemned" | "doomed" | "barrier";

export interface StoredRecord extends CollectionRecord {
  readonly name: string;
  readonly generation: number;
  readonly step: CollectionStep;
  /** By the service's clock. */
  readonly writtenAt: number;
}

const namePattern = /^collect\/(\d{8})\.(condemned|doomed|barrier)$/;
const maxRecordSize = 256 * 1024 * 1024;

export async function readCollectionRecords(
  store: ObjectStore,
  keys: VaultKeys,
  signal?: AbortSignal,
): Promise<StoredRecord[]> {
  const records: StoredRecord[] = [];
  for await (const { name, modifiedAt } of store.list(prefixes.collect, signal)) {
    const match = namePattern.exec(name);
    if (match === null) continue;
    try {
      const content = unseal(keys, objectKinds.collection, name, await store.get(name, { signal }), maxRecordSize);
      records.push({
        ...parseDocument(recordSchema, content, name),
        name,
        generation: Number(match[1]),
        step: match[2] as CollectionStep,
        writtenAt: modifiedAt,
      });
    } catch (error) {
      // A collector that ends at this moment removes its records.
      if (!isErrorCode(error, "ObjectMissing")) throw error;
    }
  }
  return records;
}

export async function writeCollectionRecord(
  store: ObjectStore,
  keys: VaultKeys,
  generation: number,
  step: CollectionStep,
  record: Omit<CollectionRecord, "v">,
  signal?: AbortSignal,
): Promise<string> {
  const name = `${prefixes.collect}${String(generation).padStart(8, "0")}.${step}`;
  const content = Buffer.from(JSON.stringify({ v: 1, ...record }));
  await store.put(name, seal(keys, objectKinds.collection, name, content), { onlyIfAbsent: true, signal });
  return name;
}

export function doomedPacks(records: readonly StoredRecord[]): Set<string> {
  return new Set(records.flatMap(({ step, packs }) => (step === "doomed" ? (packs ?? []) : [])));
}

export interface Condemned {
  readonly hash: string;
  readonly generation: number;
  readonly at: number;
}

/** The highest generation's record counts: it names all that is still condemned. */
export function condemnedPacks(records: readonly StoredRecord[]): Map<string, Condemned> {
  const newest = records
    .filter(({ step }) => step === "condemned")
    .reduce<StoredRecord | undefined>(
      (best, record) => (best === undefined || record.generation > best.generation ? record : best),
      undefined,
    );
  return new Map((newest?.condemned ?? []).map((entry) => [entry.hash, entry]));
}
