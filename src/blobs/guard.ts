// What a write must satisfy, looked at in the transaction that makes it true.

import { scopeOf } from "../db/transaction.ts";
import { checkConditions, type Conditions } from "./conditions.ts";
import { blobErrors } from "./errors.ts";
import { checkLease } from "./lease.ts";
import type { BlobAddress } from "./names.ts";
import type { Writer } from "./rows/account.ts";
import { findBlob, type Blob } from "./rows/blob.ts";
import { getContainer } from "./rows/container.ts";

export interface WriteGuard {
  readonly conditions: Conditions;
  readonly leaseId?: string;
  /** The caller may create, not replace. */
  readonly createOnly?: boolean;
}

export const unguarded: WriteGuard = { conditions: {} };

/** The blob as it is now, if there is one; throws when the write may not happen. */
export async function guardWrite(trx: Writer, address: BlobAddress, guard: WriteGuard): Promise<Blob | undefined> {
  await getContainer(trx, address);
  const current = await findBlob(trx, address);
  if (current !== undefined && guard.createOnly === true) {
    throw blobErrors.UnauthorizedBlobOverwrite("This request is not authorized to perform blob overwrites.");
  }
  checkConditions(guard.conditions, current, "write");
  if (current !== undefined) checkLease(current.lease, guard.leaseId, scopeOf(trx).clock.now(), "write", "Blob");
  else if (guard.leaseId !== undefined)
    throw blobErrors.LeaseNotPresentWithBlobOperation("There is currently no lease on the blob.");
  return current;
}

/** Like guardWrite, of a blob that must be there. */
export async function guardChange(trx: Writer, address: BlobAddress, guard: WriteGuard): Promise<Blob> {
  const current = await guardWrite(trx, address, guard);
  if (current === undefined) throw blobErrors.BlobNotFound(`The specified blob '${address.name}' does not exist.`);
  return current;
}
