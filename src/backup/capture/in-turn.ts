// A host opens one snapshot of a machine at a time. Whoever comes second (a copy of a disk, a restore
// point) has a user who waits for the result, not for the reason why it failed: it waits for its turn.

import { isErrorCode } from "../../lib/errors.ts";
import { randomBelow, seededRandom } from "../../lib/random.ts";
import { retry, type RetryPolicy } from "../../lib/time.ts";

/** About a quarter of an hour: a snapshot lives as long as its disks are read. */
const patience = { attempts: 60, firstDelayMilliseconds: 1000, maxDelayMilliseconds: 30_000 };

export async function inTurn<T>(
  takeSnapshot: () => Promise<T>,
  signal: AbortSignal,
  delays: Omit<RetryPolicy, "isTransient"> = patience,
): Promise<T> {
  const policy = { ...delays, isTransient: (error: unknown) => isErrorCode(error, "SnapshotInProgress") };
  return retry(policy, takeSnapshot, seededRandom(randomBelow(2 ** 31)), signal);
}
