// Which key opens a store. The platform's own key stands in a file of the data folder, which is also
// what the offline tool takes (`--key`). A key that lives elsewhere is given by whoever knows its service.

import * as z from "zod";
import { keyFromBytes, type KeyProvider } from "../../store/index.ts";
import { storesErrors } from "./errors.ts";
import type { StoreName } from "./store-name.ts";

export const storeKey = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("platform") }),
  /** What the key service knows the key by. */
  z.strictObject({ kind: z.literal("service"), reference: z.string().min(1).max(2048) }),
]);
export type StoreKey = z.output<typeof storeKey>;

export type KeyOfStore = (key: StoreKey, store: StoreName) => Promise<KeyProvider>;

/** `service`: how keys are reached that do not lie here. */
export function platformKeyOf(platformKey: Uint8Array, service?: KeyOfStore): KeyOfStore {
  const platform = keyFromBytes(platformKey);
  return async (key, store) => {
    if (key.kind === "platform") return platform;
    if (service !== undefined) return service(key, store);
    throw storesErrors.StoreKeyUnavailable(`The key ${key.reference} of ${store} is in a service that is not there.`);
  };
}
