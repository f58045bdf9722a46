// A request on its way and what has come back for it so far.

import type { HoldfastError } from "../lib/errors.ts";
import { Coverage } from "./coverage.ts";
import { nbdErrors } from "./errors.ts";
import type { BlockExtent } from "./extents.ts";
import { errorNumbers, type Command } from "./protocol.ts";

export interface RequestShape {
  readonly command: Command;
  readonly offset: number;
  readonly length: number;
  readonly flags?: number;
  /** Where a read goes; exactly `length` bytes. */
  readonly into?: Uint8Array;
  /** What a write carries; exactly `length` bytes. */
  readonly from?: Uint8Array;
}

export interface PendingRequest {
  readonly shape: RequestShape;
  readonly coverage: Coverage;
  /** By the number of the meta context. */
  readonly extents: Map<number, BlockExtent[]>;
  /** Undefined as soon as nobody waits any more: what still comes is thrown away. */
  into: Uint8Array | undefined;
  failure: HoldfastError | undefined;
  resolve: (request: PendingRequest) => void;
  reject: (error: unknown) => void;
}

const commandNames: Readonly<Record<Command, string>> = {
  0: "read",
  1: "write",
  2: "disconnect",
  3: "flush",
  4: "trim",
  5: "cache",
  6: "write-zeroes",
  7: "block status",
};

export function newPendingRequest(
  shape: RequestShape,
  resolve: (request: PendingRequest) => void,
  reject: (error: unknown) => void,
): PendingRequest {
  return { shape, coverage: new Coverage(), extents: new Map(), into: shape.into, failure: undefined, resolve, reject };
}

export function describeRequest({ command, offset, length }: RequestShape): string {
  return `${commandNames[command]} of ${length} bytes at ${offset}`;
}

export function requestFailure(shape: RequestShape, errorNumber: number, text: string): HoldfastError {
  const errno = errorNumbers[errorNumber] ?? `error ${errorNumber}`;
  const said = text === "" ? "" : ` ("${text}")`;
  return nbdErrors.NbdRequestFailed(`The NBD server failed the ${describeRequest(shape)} with ${errno}${said}.`, {
    facts: { errno },
  });
}
