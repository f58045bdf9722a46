// A store that nothing can change: for restores from a vault that somebody else owns.

import { objectErrors } from "../errors.ts";
import { checkObjectName } from "../object-name.ts";
import type { ObjectStore } from "../object-store.ts";

export function withoutWriting(store: ObjectStore): ObjectStore {
  const refuse = async (name: string): Promise<never> => {
    checkObjectName(name);
    throw objectErrors.StoreReadOnly(`The store ${store.location} is open for reading only; ${name} stays as it is.`);
  };
  return { ...store, put: refuse, delete: refuse };
}
