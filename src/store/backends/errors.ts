// What a place that holds objects can answer, whichever service it is. The service's own answer is
// the `cause`.

import { defineErrors, HoldfastError } from "../../lib/errors.ts";

export const objectErrors = defineErrors({
  ObjectMissing: { status: 404 },
  ObjectExists: { status: 409 },
  ObjectTooShort: { status: 500, remedy: "The object is damaged: run `holdfast store scrub`, then `store repair`." },
  ObjectLocked: { status: 409, remedy: "It can be deleted when its lock has ended." },
  ObjectCorrupted: { status: 500, remedy: "The content changed on its way: check memory and network, and repeat." },
  ObjectNameInvalid: { status: 400 },
  StoreFull: { status: 507, remedy: "Free space, or collect points that are no longer needed." },
  StoreUnreachable: { status: 503, remedy: "Check the network, the endpoint and the service, and repeat." },
  StoreThrottled: { status: 429, remedy: "Repeat later, or ask for fewer requests in parallel." },
  StoreRefused: { status: 403, remedy: "Check the credentials and what they may do there." },
  StoreReadOnly: { status: 403, remedy: "Open the store for writing, or choose another one." },
  StoreMissing: { status: 404, remedy: "Check the location; `holdfast store init` makes a new store." },
  StoreLocationInvalid: { status: 400 },
  StoreUntrustworthy: {
    status: 409,
    remedy: "Put the store on a local file system, or opt in with trustFileSystem (--trust-file-system).",
  },
  StoreFailed: { status: 500 },
});

const transient = new Set(["StoreUnreachable", "StoreThrottled"]);

/** Whether the same request may well succeed a moment later. */
export function isTransient(error: unknown): boolean {
  return error instanceof HoldfastError && transient.has(error.code);
}
