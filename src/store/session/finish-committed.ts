// A writer that decided "committed" and died before its point was written is finished by whoever
// finds it.

import { isErrorCode } from "../../lib/errors.ts";
import { parsePointName, prefixes } from "../format/object-names.ts";
import type { Vault } from "../vault.ts";
import { readSessions, removeSession, type SessionState } from "./session-records.ts";

/** Of all sessions but one's own. */
export async function finishOthers(vault: Vault, own: string, signal?: AbortSignal): Promise<void> {
  for (const other of await readSessions(vault.store, vault.keys, signal)) {
    if (other.id !== own && other.end?.outcome === "committed") await finishCommitted(vault, other, signal);
  }
}

export async function finishCommitted(
  vault: Pick<Vault, "store">,
  session: SessionState,
  signal?: AbortSignal,
): Promise<void> {
  const point = session.end?.point;
  if (point !== undefined && session.isOpen) {
    const name = parsePointName(point.name);
    try {
      await vault.store.put(prefixes.points + name, Buffer.from(point.sealed, "base64"), {
        onlyIfAbsent: true,
        lockedUntil: vault.store.supports.objectLock ? point.lockedUntil : undefined,
        signal,
      });
      // Its writer came through meanwhile, and somebody deleted the point already: it stays deleted. That its
      // `.open` is gone would not tell so: the writer may have found the point that was put just now.
      if ((await vault.store.head(prefixes.deleted + name, signal)) !== undefined) {
        await vault.store.delete(prefixes.points + name, signal);
      }
    } catch (error) {
      if (!isErrorCode(error, "ObjectExists")) throw error;
    }
  }
  await removeSession(vault.store, session.id, signal);
}
