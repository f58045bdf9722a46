// The records of writers: `.open` says who is at work and on which parents it builds, `.beat` is a
// sign of life, `.end` is the one decision about its outcome.

import * as z from "zod";
import { isErrorCode } from "../../lib/errors.ts";
import type { ObjectStore } from "../backends/object-store.ts";
import { maxPointSize, objectKinds } from "../format/layout.ts";
import { prefixes } from "../format/object-names.ts";
import { parseDocument } from "../format/point.ts";
import { seal, unseal } from "../format/sealed.ts";
import type { VaultKeys } from "../keys/vault-keys.ts";
import type { Vault } from "../vault.ts";

const openSchema = z.object({ v: z.literal(1), parents: z.array(z.string()), startedAt: z.number() });

const endSchema = z.object({
  v: z.literal(1),
  outcome: z.enum(["committed", "evicted"]),
  /** The sealed point, to be written by whoever finds it missing. */
  point: z.object({ name: z.string(), sealed: z.base64(), lockedUntil: z.number().optional() }).optional(),
});
export type SessionEnd = z.infer<typeof endSchema>;

export type SessionPart = "open" | "beat" | "end";

export interface SessionState {
  readonly id: string;
  readonly isOpen: boolean;
  readonly parents: readonly string[];
  readonly end: SessionEnd | undefined;
  /** The latest sign of life, by the service's clock. */
  readonly lastSeen: number;
}

export const sessionObject = (id: string, part: SessionPart): string => `${prefixes.sessions}${id}.${part}`;

const namePattern = /^sessions\/([0-9a-f]{16})\.(open|beat|end)$/;
const maxRecord = 2 * maxPointSize;

export async function writeOpen(
  store: ObjectStore,
  keys: VaultKeys,
  id: string,
  parents: readonly string[],
  startedAt: number,
  signal?: AbortSignal,
): Promise<void> {
  await writePart(store, keys, id, "open", { v: 1, parents, startedAt }, { onlyIfAbsent: true, signal });
}

const beatEveryMilliseconds = 10 * 60_000;

/** Signs of life until it is disposed, or the vault is closed. */
export function keepBeating({ store, keys, closed }: Vault, id: string): Disposable {
  const beat = (): void => void writePart(store, keys, id, "beat", { v: 1 }, {}).catch(() => {});
  const timer = setInterval(beat, beatEveryMilliseconds);
  timer.unref();
  const stop = (): void => clearInterval(timer);
  closed.addEventListener("abort", stop, { once: true });
  return {
    [Symbol.dispose]: () => {
      stop();
      closed.removeEventListener("abort", stop);
    },
  };
}

/** Whether this end is the one that counts. */
export async function decideEnd(
  store: ObjectStore,
  keys: VaultKeys,
  id: string,
  end: SessionEnd,
  signal?: AbortSignal,
): Promise<boolean> {
  try {
    await writePart(store, keys, id, "end", end, { onlyIfAbsent: true, signal });
    return true;
  } catch (error) {
    if (isErrorCode(error, "ObjectExists")) return false;
    throw error;
  }
}

/** In this order: an end without an open means nothing, so it is never left to speak for itself. */
export async function removeSession(store: ObjectStore, id: string, signal?: AbortSignal): Promise<void> {
  for (const part of ["open", "beat", "end"] as const) await store.delete(sessionObject(id, part), signal);
}

export async function readEnd(
  store: ObjectStore,
  keys: VaultKeys,
  id: string,
  signal?: AbortSignal,
): Promise<SessionEnd | undefined> {
  const content = await readPart(store, keys, id, "end", signal);
  return content === undefined ? undefined : parseDocument(endSchema, content, sessionObject(id, "end"));
}

export async function readSessions(store: ObjectStore, keys: VaultKeys, signal?: AbortSignal): Promise<SessionState[]> {
  const found = new Map<string, { parts: Set<string>; lastSeen: number }>();
  for await (const { name, modifiedAt } of store.list(prefixes.sessions, signal)) {
    const [, id, part] = namePattern.exec(name) ?? [];
    if (id === undefined || part === undefined) continue;
    const session = found.get(id) ?? { parts: new Set(), lastSeen: 0 };
    session.parts.add(part);
    session.lastSeen = Math.max(session.lastSeen, modifiedAt);
    found.set(id, session);
  }
  const states: SessionState[] = [];
  for (const [id, { parts, lastSeen }] of found) {
    const open = parts.has("open") ? await readPart(store, keys, id, "open", signal) : undefined;
    // Read after `.open`: a session that ends between the two reads has put its point before.
    const end = await readEnd(store, keys, id, signal);
    const parents = open === undefined ? [] : parseDocument(openSchema, open, sessionObject(id, "open")).parents;
    states.push({ id, isOpen: open !== undefined, parents, end, lastSeen });
  }
  return states;
}

async function readPart(
  store: ObjectStore,
  keys: VaultKeys,
  id: string,
  part: SessionPart,
  signal?: AbortSignal,
): Promise<Buffer | undefined> {
  const name = sessionObject(id, part);
  try {
    return unseal(keys, objectKinds.session, name, await store.get(name, { signal }), maxRecord);
  } catch (error) {
    if (isErrorCode(error, "ObjectMissing")) return undefined;
    throw error;
  }
}

async function writePart(
  store: ObjectStore,
  keys: VaultKeys,
  id: string,
  part: SessionPart,
  content: unknown,
  options: { onlyIfAbsent?: boolean; signal?: AbortSignal },
): Promise<void> {
  const name = sessionObject(id, part);
  await store.put(name, seal(keys, objectKinds.session, name, Buffer.from(JSON.stringify(content))), options);
}
