// Scrub: pack bytes against pack names. It needs the objects only, no key, and finds every changed
// bit. Verification with the key is in verify.ts.

import { isErrorCode } from "../../lib/errors.ts";
import type { ObjectStore } from "../backends/object-store.ts";
import { contentName } from "../format/content-name.ts";
import { hashOfName, packName, prefixes } from "../format/object-names.ts";
import { eachInParallel } from "../../lib/parallel.ts";

export interface ScrubProgress {
  readonly packs: number;
  readonly bytes: number;
  readonly totalPacks: number;
  readonly totalBytes: number;
}

export interface ScrubFinding {
  readonly object: string;
  readonly problem: "changed" | "missing" | "foreign";
  readonly message: string;
}

export interface ScrubOptions {
  readonly onProgress?: (progress: ScrubProgress) => void;
  readonly signal?: AbortSignal;
}

const parallelReads = 2;
const folders = [prefixes.packs, prefixes.index];
const known = Object.values(prefixes);

export async function scrub(store: ObjectStore, options: ScrubOptions = {}): Promise<ScrubFinding[]> {
  const { signal } = options;
  const findings: ScrubFinding[] = [];
  const objects: { name: string; hash: string; size: number }[] = [];
  for await (const { name, size } of store.list("", signal)) {
    const hash = hashOfName(name);
    const folder = folders.find((prefix) => name.startsWith(prefix));
    if (folder !== undefined && hash !== undefined && (folder !== prefixes.packs || name === packName(hash))) {
      objects.push({ name, hash, size });
    } else if (folder !== undefined || !known.some((prefix) => name.startsWith(prefix))) {
      findings.push({ object: name, problem: "foreign", message: `${name} has no name that a vault gives.` });
    }
  }
  const totalBytes = objects.reduce((sum, { size }) => sum + size, 0);
  let packs = 0;
  let bytes = 0;
  await eachInParallel(objects, parallelReads, async ({ name, hash, size }) => {
    const finding = await checkObject(store, name, hash, signal);
    if (finding !== undefined) findings.push(finding);
    packs += 1;
    bytes += size;
    options.onProgress?.({ packs, bytes, totalPacks: objects.length, totalBytes });
  });
  return findings;
}

/** Whether an object still is what its name says; undefined when it is. */
export async function checkObject(
  store: ObjectStore,
  name: string,
  hash: string,
  signal?: AbortSignal,
): Promise<ScrubFinding | undefined> {
  let content: Buffer;
  try {
    content = await store.get(name, { signal });
  } catch (error) {
    if (!isErrorCode(error, "ObjectMissing")) throw error;
    return { object: name, problem: "missing", message: `${name} is not there.` };
  }
  const found = contentName(content);
  if (found === hash) return undefined;
  return { object: name, problem: "changed", message: `${name} holds bytes whose name would be ${found}.` };
}
