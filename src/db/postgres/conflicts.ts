// Transactions are serialisable on PostgreSQL, so that what holds on SQLite's single writer holds
// there too. The price: the server refuses one of two that collide, and that one runs again.

import { systemCode } from "../../lib/errors.ts";
import { randomBelow } from "../../lib/random.ts";
import { retry } from "../../lib/time.ts";
import { databaseErrors } from "../errors.ts";

const serializationFailure = "40001";
const deadlockDetected = "40P01";

/** One of those that collide always gets through, so this many in a row means a crowd at one row. */
const attempts = 20;

export async function retryConflicts<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await retry(
      { attempts, firstDelayMilliseconds: 4, maxDelayMilliseconds: 250, isTransient: isConflict },
      attempt,
      () => randomBelow(1_000_000) / 1_000_000,
    );
  } catch (cause) {
    if (!isConflict(cause)) throw cause;
    throw databaseErrors.DatabaseBusy(`A transaction collided with others ${attempts} times in a row.`, { cause });
  }
}

function isConflict(error: unknown): boolean {
  const code = systemCode(error);
  return code === serializationFailure || code === deadlockDetected;
}
