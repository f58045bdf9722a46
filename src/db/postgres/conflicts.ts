// Transactions are serialisable on PostgreSQL, so that what holds on SQLite's single writer holds
// there too. The price: the server refuses one of two that collide, and that one runs again.

import { retry } from "../../lib/time.ts";
import { randomBelow } from "../../lib/random.ts";
import { systemCode } from "../../lib/errors.ts";

const serializationFailure = "40001";
const deadlockDetected = "40P01";

export async function retryConflicts<T>(attempt: () => Promise<T>): Promise<T> {
  return retry(
    { attempts: 20, firstDelayMilliseconds: 4, maxDelayMilliseconds: 250, isTransient: isConflict },
    attempt,
    () => randomBelow(1_000_000) / 1_000_000,
  );
}

function isConflict(error: unknown): boolean {
  const code = systemCode(error);
  return code === serializationFailure || code === deadlockDetected;
}
