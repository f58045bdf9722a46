// A store that fails as services do: by rule, and the same way again for the same seed.

import { seededRandom } from "../../../lib/random.ts";
import { sleep } from "../../../lib/time.ts";
import { joined } from "../content.ts";
import type { StoreOperation } from "../decorators/metrics.ts";
import type { ObjectStore } from "../object-store.ts";

export interface FaultRule {
  readonly operation?: StoreOperation;
  /** Only names that match. */
  readonly name?: RegExp;
  /** Chance of each pass; 1 when absent. */
  readonly probability?: number;
  /** How often it strikes at most. */
  readonly times?: number;
  readonly fault: Fault;
}

export type Fault =
  /** `after`: the request was carried out and its answer was lost. */
  | { readonly kind: "fail"; readonly error: () => Error; readonly when: "before" | "after" }
  | { readonly kind: "slow"; readonly milliseconds: number }
  /** One bit differs in what is stored (put) or handed back (get). */
  | { readonly kind: "corrupt" }
  /** A put that stores only the first half and still says that all is well. */
  | { readonly kind: "partial" };

export function faultyStore(store: ObjectStore, rules: readonly FaultRule[], seed: number): ObjectStore {
  const random = seededRandom(seed);
  const strikes = new Map<FaultRule, number>();

  const drawn = (operation: StoreOperation, name: string): readonly Fault[] =>
    rules
      .filter((rule) => {
        const struck = strikes.get(rule) ?? 0;
        const fits =
          (rule.operation ?? operation) === operation &&
          (rule.name?.test(name) ?? true) &&
          struck < (rule.times ?? 1e9);
        if (!fits || random() >= (rule.probability ?? 1)) return false;
        strikes.set(rule, struck + 1);
        return true;
      })
      .map((rule) => rule.fault);

  const flipped = (content: Buffer): Buffer => {
    const copy = Buffer.from(content);
    const at = Math.floor(random() * copy.length);
    if (copy.length > 0) copy[at] = copy[at]! ^ (1 << Math.floor(random() * 8));
    return copy;
  };

  async function passing<T>(faults: readonly Fault[], signal: AbortSignal | undefined, action: () => Promise<T>) {
    for (const fault of faults) {
      if (fault.kind === "slow") await sleep(fault.milliseconds, signal);
      if (fault.kind === "fail" && fault.when === "before") throw fault.error();
    }
    const result = await action();
    for (const fault of faults) if (fault.kind === "fail" && fault.when === "after") throw fault.error();
    return result;
  }

  return {
    ...store,
    put: (name, content, options) => {
      const faults = drawn("put", name);
      let stored = joined(content);
      if (faults.some((fault) => fault.kind === "corrupt")) stored = flipped(stored);
      if (faults.some((fault) => fault.kind === "partial")) stored = stored.subarray(0, stored.length >> 1);
      return passing(faults, options?.signal, () => store.put(name, stored, options));
    },
    get: async (name, options) => {
      const faults = drawn("get", name);
      const content = await passing(faults, options?.signal, () => store.get(name, options));
      return faults.some((fault) => fault.kind === "corrupt") ? flipped(content) : content;
    },
    head: (name, signal) => passing(drawn("head", name), signal, () => store.head(name, signal)),
    list: async function* (prefix, signal) {
      for await (const info of store.list(prefix, signal)) {
        yield await passing(drawn("list", info.name), signal, async () => info);
      }
    },
    delete: (name, signal) => passing(drawn("delete", name), signal, () => store.delete(name, signal)),
  };
}
