// What items tell the event stream: `item.protected`, `item.changed`, `item.stopped`, `item.suspended`,
// `item.resumed`, `item.deleted`, `item.undeleted`, `item.purge-upcoming`, `item.purged`, `item.backed-up`.
// The data is the item as it is then, and the policy that it had before.

import { appendEvent } from "../../events/append.ts";
import type { Doer } from "../vaults/policies.ts";
import type { Writer } from "../vaults/vaults.ts";
import type { ProtectedItem } from "./item.ts";

export type ItemEventType =
  | "item.protected"
  | "item.changed"
  | "item.stopped"
  | "item.suspended"
  | "item.resumed"
  | "item.deleted"
  | "item.undeleted"
  | "item.purge-upcoming"
  | "item.purged"
  | "item.backed-up";

export interface ItemEventData extends ProtectedItem {
  readonly policyKeyBefore?: string;
}

export function tellOfItem(
  trx: Writer,
  type: ItemEventType,
  item: ProtectedItem,
  by: Doer,
  policyKeyBefore: string | undefined = item.policyKey,
): void {
  const data: ItemEventData = policyKeyBefore === undefined ? item : { ...item, policyKeyBefore };
  appendEvent(trx, {
    type,
    subject: item.key,
    subjects: [item.vaultKey, item.machineKey],
    data,
    ...by,
  });
}

/** The service itself, as the doer of what follows from time and jobs. */
export function ownDoer(correlationId: string): Doer {
  return { actor: "backup", correlationId };
}
