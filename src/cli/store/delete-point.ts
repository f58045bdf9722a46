// `store delete-point` and `store undelete-point`: deletion is soft, and can be undone until a
// collection has purged the point.

import { deletePoint } from "../../store/index.ts";
import { parsePointName } from "../../store/format/object-names.ts";
import { movePoint, readPoint } from "../../store/points/points.ts";
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

export function restorePoint(options: DeleteOptions): Promise<void> {
  const name = parsePointName(options.point);
  return withVault(options, "write", async (vault, signal) => {
    await readPoint(vault, name, "deleted", signal);
    await movePoint(vault, name, "deleted", "points", signal);
    print(options, { point: name, deleted: false }, `${name} is back.`);
  });
}
