// Names of stores: one for each vault, one for each collection of restore points.

import { storesErrors } from "./errors.ts";

export type StoreName = string & { readonly brand: "StoreName" };

const shape = /^(?:vaults|collections)\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function vaultStore(guid: string): StoreName {
  return parseStoreName(`vaults/${guid.toLowerCase()}`);
}

export function collectionStore(guid: string): StoreName {
  return parseStoreName(`collections/${guid.toLowerCase()}`);
}

export function parseStoreName(text: string): StoreName {
  if (shape.test(text)) return text as StoreName;
  throw storesErrors.BackupStoreNameInvalid(
    `"${text.slice(0, 100)}" is no name of a store: vaults/GUID or collections/GUID is.`,
  );
}
