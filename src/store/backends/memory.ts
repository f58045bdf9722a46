// Objects in memory: the model that the others are compared with, and the fastest place for tests.

import { systemClock, isoTime, type Clock } from "../../lib/clock.ts";
import { checkContentHash, checkRange, piecesOf } from "./content.ts";
import { objectErrors } from "./errors.ts";
import { checkObjectName, checkObjectPrefix } from "./object-name.ts";
import type { ObjectInfo, ObjectStore } from "./object-store.ts";

interface Held {
  readonly info: ObjectInfo;
  readonly bytes: Buffer;
  readonly lockedUntil: number | undefined;
}

export interface MemoryStoreOptions {
  readonly clock?: Clock;
  readonly location?: string;
}

export function memoryStore({ clock = systemClock, location = "memory:" }: MemoryStoreOptions = {}): ObjectStore {
  const objects = new Map<string, Held>();
  const isLocked = (held: Held | undefined): boolean =>
    held?.lockedUntil !== undefined && held.lockedUntil > clock.now();

  return {
    location,
    supports: { objectLock: true, atomicCreate: true, contentCheck: true },
    put: async (name, content, options = {}) => {
      checkObjectName(name);
      options.signal?.throwIfAborted();
      checkContentHash(name, content, options.sha256);
      const present = objects.get(name);
      if (options.onlyIfAbsent === true && present !== undefined) {
        throw objectErrors.ObjectExists(`${location} already holds ${name}.`);
      }
      if (isLocked(present)) throw locked(name, present);
      const bytes = Buffer.concat(piecesOf(content));
      const info = { name, size: bytes.length, modifiedAt: clock.now() };
      objects.set(name, { info, bytes, lockedUntil: options.lockedUntil });
    },
    get: async (name, { offset, length, signal } = {}) => {
      checkObjectName(name);
      signal?.throwIfAborted();
      const held = objects.get(name);
      if (held === undefined) throw objectErrors.ObjectMissing(`${location} holds no ${name}.`);
      const range = checkRange(name, held.bytes.length, offset, length);
      return Buffer.from(held.bytes.subarray(range.offset, range.offset + range.length));
    },
    head: async (name, signal) => {
      checkObjectName(name);
      signal?.throwIfAborted();
      return objects.get(name)?.info;
    },
    list: async function* (prefix, signal) {
      checkObjectPrefix(prefix);
      const names = [...objects.keys()].filter((name) => name.startsWith(prefix)).sort();
      for (const name of names) {
        signal?.throwIfAborted();
        const held = objects.get(name);
        if (held !== undefined) yield held.info;
      }
    },
    delete: async (name, signal) => {
      checkObjectName(name);
      signal?.throwIfAborted();
      const held = objects.get(name);
      if (isLocked(held)) throw locked(name, held);
      objects.delete(name);
    },
    [Symbol.asyncDispose]: async () => {},
  };

  function locked(name: string, held: Held | undefined): Error {
    return objectErrors.ObjectLocked(`${name} in ${location} is locked until ${isoTime(held?.lockedUntil ?? 0)}.`);
  }
}
