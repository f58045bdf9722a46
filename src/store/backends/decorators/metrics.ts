// Tells an observer about every request: for Prometheus, for progress, for benchmarks.

import { monotonicMilliseconds } from "../../../lib/clock.ts";
import { HoldfastError } from "../../../lib/errors.ts";
import { sizeOf } from "../content.ts";
import type { ObjectStore } from "../object-store.ts";

export type StoreOperation = "put" | "get" | "head" | "list" | "delete";

export interface StoreRequest {
  readonly operation: StoreOperation;
  readonly milliseconds: number;
  /** Content bytes that were sent or received; 0 when it failed. */
  readonly bytes: number;
  /** `ok`, or the error's code. */
  readonly outcome: string;
}

export function withMetrics(store: ObjectStore, observe: (request: StoreRequest) => void): ObjectStore {
  async function measured<T>(operation: StoreOperation, action: () => Promise<T>, bytes: (result: T) => number) {
    const start = monotonicMilliseconds();
    const report = (outcome: string, bytes: number): void =>
      observe({ operation, milliseconds: monotonicMilliseconds() - start, bytes, outcome });
    try {
      const result = await action();
      report("ok", bytes(result));
      return result;
    } catch (error) {
      report(error instanceof HoldfastError ? error.code : "failed", 0);
      throw error;
    }
  }
  const none = (): number => 0;

  return {
    ...store,
    put: (name, content, options) =>
      measured(
        "put",
        () => store.put(name, content, options),
        () => sizeOf(content),
      ),
    get: (name, options) =>
      measured(
        "get",
        () => store.get(name, options),
        (content) => content.length,
      ),
    head: (name, signal) => measured("head", () => store.head(name, signal), none),
    list: async function* (prefix, signal) {
      const listing = store.list(prefix, signal)[Symbol.asyncIterator]();
      for (;;) {
        const next = await measured("list", () => listing.next(), none);
        if (next.done === true) return;
        yield next.value;
      }
    },
    delete: (name, signal) => measured("delete", () => store.delete(name, signal), none),
  };
}
