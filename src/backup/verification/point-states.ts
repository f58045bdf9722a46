// What verification last said of each point of a vault.

import { pointFromRow, type RecoveryPoint } from "../points/point.ts";
import { protectionErrors } from "../protection/errors.ts";
import { listItems, type ProtectedItem } from "../protection/item.ts";
import type { Reader, Vault } from "../vaults/vaults.ts";

export interface PointState {
  /** The machine's name. */
  readonly item: string;
  readonly point: RecoveryPoint;
}

/** `NotVerified`: nobody has opened what it needs yet. */
export type PointVerdict = "Good" | "Broken" | "NotVerified";

export function verdictOf({ problems, verifiedAt }: Pick<RecoveryPoint, "problems" | "verifiedAt">): PointVerdict {
  if (problems !== undefined) return "Broken";
  return verifiedAt === undefined ? "NotVerified" : "Good";
}

/** In order of the points' ids; `after` is one. */
export async function pagePointStates(
  reader: Reader,
  vault: Pick<Vault, "key">,
  filter: { readonly itemKey?: string | undefined; readonly isBroken?: boolean },
  page: { readonly after?: string; readonly limit: number },
): Promise<PointState[]> {
  let select = reader
    .selectFrom("recovery_points")
    .innerJoin("protected_items", "protected_items.key", "recovery_points.item_key")
    .selectAll("recovery_points")
    .select("protected_items.friendly_name")
    .where("recovery_points.vault_key", "=", vault.key);
  if (filter.itemKey !== undefined) select = select.where("recovery_points.item_key", "=", filter.itemKey);
  if (filter.isBroken === true) select = select.where("recovery_points.problems", "is not", null);
  if (page.after !== undefined) select = select.where("recovery_points.id", ">", page.after);
  const rows = await select.orderBy("recovery_points.id").limit(page.limit).execute();
  return rows.map(({ friendly_name, ...row }) => ({ item: friendly_name, point: pointFromRow(row) }));
}

/** By the machine's name, or by the item's where two machines have the same. */
export async function itemNamed(reader: Reader, vault: Pick<Vault, "key">, name: string): Promise<ProtectedItem> {
  const wanted = name.toLowerCase();
  const items = await listItems(reader, vault);
  const exact = items.find(({ key }) => key.endsWith(`/${wanted}`));
  if (exact !== undefined) return exact;
  const [item, other] = items.filter(({ friendlyName }) => friendlyName.toLowerCase() === wanted);
  if (item === undefined) {
    throw protectionErrors.BMSUserErrorProtectedItemNotFound(`The vault does not protect '${name}'.`, {
      target: "item",
    });
  }
  if (other === undefined) return item;
  throw protectionErrors.BMSUserErrorInvalidItem(`Two machines of the vault are called '${name}'.`, { target: "item" });
}
