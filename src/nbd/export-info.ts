// What a server says about an export, believed only as far as it can be true.

import { nbdErrors } from "./errors.ts";
import { defaultMaximumPayload, infoType, optionReply, transmissionFlags } from "./protocol.ts";

export interface BlockSizes {
  /** Offsets and lengths of requests are multiples of this. */
  readonly minimum: number;
  readonly preferred: number;
  /** The most that one read or write may carry. */
  readonly maximum: number;
}

export interface ExportInfo {
  readonly size: number;
  readonly flags: number;
  readonly blockSizes: BlockSizes;
}

export function readExportInfo(answers: readonly { readonly type: number; readonly payload: Buffer }[]): ExportInfo {
  let size: bigint | undefined;
  let flags = 0;
  let blockSizes: BlockSizes = { minimum: 1, preferred: 4096, maximum: defaultMaximumPayload };
  for (const { type, payload } of answers) {
    if (type !== optionReply.info || payload.length < 2) continue;
    const kind = payload.readUInt16BE(0);
    if (kind === infoType.export && payload.length === 12) {
      size = payload.readBigUInt64BE(2);
      flags = payload.readUInt16BE(10);
    }
    if (kind === infoType.blockSize && payload.length === 14) blockSizes = readBlockSizes(payload);
  }
  if (size === undefined) throw nbdErrors.NbdProtocolViolation("The NBD server did not tell the size of the export.");
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw nbdErrors.NbdProtocolViolation(`The NBD server claims an export of ${size} bytes; nothing is that large.`);
  }
  if ((flags & transmissionFlags.hasFlags) === 0) flags = 0;
  return { size: Number(size), flags, blockSizes };
}

function readBlockSizes(payload: Buffer): BlockSizes {
  const [minimum, preferred, maximum] = [payload.readUInt32BE(2), payload.readUInt32BE(6), payload.readUInt32BE(10)];
  const isPowerOfTwo = minimum > 0 && (minimum & (minimum - 1)) === 0;
  if (!isPowerOfTwo || minimum > 65536 || preferred < minimum || maximum < minimum || maximum % minimum !== 0) {
    // 0xffffffff stands for "no limit", which need not be a multiple of anything.
    if (!(isPowerOfTwo && minimum <= 65536 && preferred >= minimum && maximum === 0xffffffff)) {
      throw nbdErrors.NbdProtocolViolation(
        `The NBD server names impossible block sizes: ${minimum}, ${preferred}, ${maximum}.`,
      );
    }
  }
  return { minimum, preferred, maximum: Math.min(maximum, defaultMaximumPayload) };
}
