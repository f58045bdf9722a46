// What a job says when something went wrong: Azure's code with a title, what happened, and what to do.

import { HoldfastError, systemCode } from "../../lib/errors.ts";
import { userErrors, type UserErrorCode } from "./user-errors.ts";

export interface JobError {
  readonly code: string;
  readonly title: string;
  readonly message: string;
  readonly recommendations: readonly string[];
}

/** `message`: what happened in this case; the table says the rest. */
export function jobError(code: UserErrorCode, message: string): JobError {
  const { title, recommendations } = userErrors[code];
  return { code, title, message, recommendations };
}

/** A failure with a code of the table: how a handler says why its job failed. */
export class JobFailure extends Error {
  readonly code: UserErrorCode;
  constructor(code: UserErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = code;
    this.code = code;
  }
}

export function errorOf(failure: unknown): JobError {
  if (failure instanceof JobFailure) return jobError(failure.code, failure.message);
  if (failure instanceof HoldfastError) {
    const known = Object.hasOwn(userErrors, failure.code) ? userErrors[failure.code as UserErrorCode] : undefined;
    if (known !== undefined) return jobError(failure.code as UserErrorCode, failure.message);
    return {
      code: failure.code,
      title: "The operation failed",
      message: failure.message,
      recommendations: [failure.remedy ?? "Try again; if it fails again, look into the service's log."],
    };
  }
  return jobError("BackUpOperationFailed", "The operation failed inside the service; its log has the details.");
}

/** Whether another attempt may go better without anybody's help. */
export function isTransient(failure: unknown): boolean {
  if (failure instanceof JobFailure) return userErrors[failure.code].isTransient === true;
  if (failure instanceof HoldfastError) return transientCodes.has(failure.code);
  return noDatabase.has(systemCode(failure) ?? "");
}

/** Of our own parts: the network, a host, a store or a database that does not answer now. */
const transientCodes = new Set([
  "StoreFailed",
  "StoreThrottled",
  "StoreUnreachable",
  "SessionEvicted",
  "DatabaseBusy",
  "LibvirtUnreachable",
  "SnapshotInProgress",
  "MonitorUnresponsive",
  "MonitorLost",
  "MachineChangedMeanwhile",
  "CollectionBusy",
]);

/** What a PostgreSQL that is restarted says, or the way to it. */
const noDatabase = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "57P01", "57P02", "57P03"]);
