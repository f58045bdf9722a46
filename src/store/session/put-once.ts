// Objects that are named after their content: what is there already under the name is the same.

import { isErrorCode } from "../../lib/errors.ts";
import type { ObjectStore } from "../backends/object-store.ts";
import { sha256InName } from "../format/content-name.ts";

export interface PutOnceOptions {
  /** Kept where the store has no object lock: then only the point says so. */
  readonly lockedUntil?: number;
  readonly signal?: AbortSignal;
}

export async function putOnce(
  store: ObjectStore,
  name: string,
  content: Uint8Array,
  hash: string,
  { lockedUntil, signal }: PutOnceOptions = {},
): Promise<void> {
  try {
    await store.put(name, content, {
      onlyIfAbsent: true,
      sha256: sha256InName(content, hash),
      lockedUntil: store.supports.objectLock ? lockedUntil : undefined,
      signal,
    });
  } catch (error) {
    if (!isErrorCode(error, "ObjectExists")) throw error;
  }
}
