import { scopeOf } from "../db/transaction.ts";
import { isoTime } from "../lib/clock.ts";
import { blobErrors } from "./errors.ts";
import { guardChange, type WriteGuard } from "./guard.ts";
import { type BlobAddress, lockKey } from "./names.ts";
import { findBlob, putBlob, type Blob } from "./rows/blob.ts";
import type { Metadata } from "./rows/container.ts";
import type { BlobStore } from "./store.ts";

/** A read-only copy as of now; it costs a row, the bytes are shared. Snapshots are named by their time. */
export async function takeSnapshot(
  store: BlobStore,
  address: BlobAddress,
  metadata: Metadata | undefined,
  guard: WriteGuard,
): Promise<{ blob: Blob; snapshot: string }> {
  return store.pageLock.run(lockKey(address), () =>
    store.database.transaction(async (trx) => {
      // A lease does not keep anybody from taking snapshots.
      const current = await findBlob(trx, address);
      const blob = await guardChange(
        trx,
        address,
        guard.leaseId === undefined ? { ...guard, leaseId: current?.lease.id } : guard,
      );
      for (let ticks = 0; ; ticks += 1) {
        const snapshot = isoTime(scopeOf(trx).clock.now()).replace("Z", `${String(ticks).padStart(4, "0")}Z`);
        if ((await findBlob(trx, { ...address, snapshot })) !== undefined) {
          if (ticks === 9999) throw blobErrors.ServerBusy("Too many snapshots of one blob in one millisecond.");
          continue;
        }
        const { copy: _copy, ...settings } = blob.settings;
        await putBlob(
          trx,
          store.files,
          { ...address, snapshot },
          { ...blob, settings, metadata: metadata ?? blob.metadata },
        );
        return { blob, snapshot };
      }
    }),
  );
}
