// What the operating system answers, in the words of errors.ts.

import { HoldfastError, systemCode } from "../../lib/errors.ts";
import { objectErrors } from "./errors.ts";

const byCode = {
  ENOSPC: "StoreFull",
  EDQUOT: "StoreFull",
  EROFS: "StoreReadOnly",
  EACCES: "StoreRefused",
  EPERM: "StoreRefused",
  ELOOP: "StoreRefused",
  ESTALE: "StoreUnreachable",
  EMFILE: "StoreThrottled",
  ENFILE: "StoreThrottled",
} as const satisfies Record<string, keyof typeof objectErrors>;

/** The error to throw for a failed system call; ours pass as they are, and so does an abort. */
export function fromSystemError(error: unknown, doing: string): unknown {
  const code = systemCode(error);
  if (code === undefined || error instanceof HoldfastError || !/^E[A-Z0-9]+$/.test(code)) return error;
  const make = objectErrors[code in byCode ? byCode[code as keyof typeof byCode] : "StoreFailed"];
  return make(`${doing} failed: ${code}.`, { cause: error, facts: { systemCode: code } });
}
