// `store delete-point` and `store undelete-point`: deletion is soft, and can be undone until a
// collection has purged the point.

import { deletePoint, listDeletedPoints, parsePointName, undeletePoint } from "../../store/index.ts";
import { print, withVault, type VaultAccess } from "./context.ts";

type DeleteOptions = VaultAccess & { readonly point: string };

export function removePoint(options: DeleteOptions): Promise<void> {
  const name = parsePointName(options.point);
  return withVault(options, "write", async (vault, signal) => {
    await deletePoint(vault, name, signal);
    const text = `Deleted ${name}. \`store undelete-point\` brings it back until a collection has purged it.`;
    print(options, { point: name, deleted: true }, text);
  });
}

export function restorePoint(options: VaultAccess & { readonly point?: string }): Promise<void> {
  const name = options.point === undefined ? undefined : parsePointName(options.point);
  return withVault(options, name === undefined ? "read" : "write", async (vault, signal) => {
    if (name === undefined) {
      const deleted = await listDeletedPoints(vault, undefined, signal);
      print(options, { deleted }, deleted.length === 0 ? "No deleted points." : deleted.join("\n"));
      return;
    }
    await undeletePoint(vault, name, signal);
    print(options, { point: name, deleted: false }, `${name} is back.`);
  });
}
