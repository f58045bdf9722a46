// The commit of a session: its end decides whether there is a point, then the point is written. From
// the end on whoever finds the session writes the point in its place.

import { isErrorCode } from "../../lib/errors.ts";
import { faultPoint } from "../../lib/faults.ts";
import { storeErrors } from "../errors.ts";
import { pointName, prefixes } from "../format/object-names.ts";
import { sealPoint, type PointDocument } from "../format/point.ts";
import type { Point } from "../points/points.ts";
import type { Vault } from "../vault.ts";
import { decideEnd, sessionObject } from "./session-records.ts";

/** Everything that the point needs is durable. Fails with SessionEvicted when a collection gave the session up. */
export async function commitPoint(
  vault: Vault,
  session: string,
  document: PointDocument,
  signal?: AbortSignal,
): Promise<Point> {
  const name = pointName(document.item, document.time, document.id);
  const sealed = sealPoint(vault.keys, name, document);
  const { lockedUntil } = document;
  const end = {
    v: 1 as const,
    outcome: "committed" as const,
    point: { name, sealed: sealed.toString("base64"), lockedUntil },
  };
  const isOurs = await decideEnd(vault.store, vault.keys, session, end, signal);
  if (!isOurs) throw evicted(session, name);
  if ((await vault.store.head(sessionObject(session, "open"), signal)) === undefined) {
    // Somebody finished it for us, or it was cleaned away before it decided.
    if ((await vault.store.head(prefixes.points + name, signal)) !== undefined) return { ...document, name };
    await vault.store.delete(sessionObject(session, "end"));
    throw evicted(session, name);
  }
  faultPoint("store.after-end");
  try {
    await vault.store.put(prefixes.points + name, sealed, {
      onlyIfAbsent: true,
      lockedUntil: vault.store.supports.objectLock ? lockedUntil : undefined,
    });
  } catch (error) {
    if (!isErrorCode(error, "ObjectExists")) throw error; // somebody finished it for us
  }
  faultPoint("store.after-point");
  return { ...document, name };
}

function evicted(session: string, point: string): Error {
  return storeErrors.SessionEvicted(`Session ${session} was given up by a collection before it could commit ${point}.`);
}
