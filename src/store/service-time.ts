// What the store's own clock says, from an object that was written just now. It is compared with
// other objects' times only, so it does not matter whether it is right.

import { randomBytes } from "../lib/random.ts";
import { prefixes } from "./format/object-names.ts";
import type { Vault } from "./vault.ts";

export async function serviceTime(vault: Pick<Vault, "store">, signal?: AbortSignal): Promise<number> {
  const name = `${prefixes.collect}time-${randomBytes(8).toString("hex")}`;
  await vault.store.put(name, Buffer.of(1), { signal });
  const written = await vault.store.head(name, signal);
  await vault.store.delete(name, signal);
  return written?.modifiedAt ?? 0;
}
