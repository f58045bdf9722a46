// `store init`

import { disk } from "../../lib/files.ts";
import { createVault, keyFromBytes, storeErrors } from "../../store/index.ts";
import { hasConfig } from "../../store/keys/config-store.ts";
import { interruptible, openPlace, print, type StoreOptions } from "./context.ts";
import { makeKeyFile, readKeyFile } from "./key-file.ts";

export function initVault(options: StoreOptions & { readonly key?: string }): Promise<void> {
  return interruptible(async (signal) => {
    await using store = await openPlace(options, "create");
    // Before a key is made for nothing.
    if (await hasConfig(store, signal)) throw storeErrors.VaultExists(`There is a vault in ${store.location} already.`);
    const isThere = options.key !== undefined && (await disk.status(options.key)) !== undefined;
    const { path, key } =
      isThere && options.key !== undefined
        ? { path: options.key, key: await readKeyFile(options.key) }
        : await makeKeyFile(options.key);
    const config = await createVault(store, keyFromBytes(key), {}, signal);
    const text = [
      `Made the vault ${config.vaultId} in ${store.location}.`,
      `Its key is ${isThere ? "" : "the new file "}${path}. Without a key nobody can restore from this vault:`,
      "keep a copy away from this machine, or print a recovery key (holdfast store export-key).",
    ].join("\n");
    print(options, { store: store.location, vaultId: config.vaultId, keyFile: path, keyFileMade: !isThere }, text);
  });
}
