// Zstandard frames with contexts that are kept. node:zlib's one-shot functions make a stream object,
// a context and a new buffer at each call, and collecting that garbage costs as much as decompressing.
// The stream's native handle can be asked again and again; it is not public, so whoever changes the
// pinned Node meets the tests beside this file, and a Node whose handle looks otherwise is refused.

import { constants, createZstdCompress, createZstdDecompress } from "node:zlib";

interface Handle {
  writeSync(
    flush: number,
    from: Uint8Array,
    fromAt: number,
    fromLength: number,
    to: Uint8Array,
    toAt: number,
    toLength: number,
  ): void;
  onerror: (message: string) => void;
}

/** After a write: how much of `to` was left, and how much of `from`. */
type WriteState = Uint32Array & { readonly 0: number; readonly 1: number };

export interface Compressor {
  /** Writes one frame to the start of `into`; gives its length. `into` has at least `frameBound(content.length)`. */
  compress(content: Uint8Array, into: Uint8Array): number;
}

export interface Decompressor {
  /** Writes a frame's content to the start of `into` and gives its length; throws when it is not one whole frame. */
  decompress(frame: Uint8Array, into: Uint8Array): number;
}

/** The most that a frame of so much content takes. */
export const frameBound = (length: number): number => length + (length >>> 8) + 1024;

export interface CompressorSettings {
  readonly level: number;
  /** The shortest repetition that is looked for; the level and the content's length choose it otherwise. */
  readonly minMatch?: 4 | 5 | 6 | 7;
}

export function createCompressor({ level, minMatch }: CompressorSettings): Compressor {
  const params = {
    [constants.ZSTD_c_compressionLevel]: level,
    ...(minMatch === undefined ? {} : { [constants.ZSTD_c_minMatch]: minMatch }),
  };
  const open = (): Insides => insides(createZstdCompress({ params }));
  let context = open();
  return {
    compress: (content, into) => {
      // The end of a frame: the next call begins another with the same settings.
      context.handle.writeSync(constants.ZSTD_e_end, content, 0, content.length, into, 0, into.length);
      const [free, unread] = context.state;
      if (unread === 0 && free > 0) return into.length - free;
      context = open();
      throw new RangeError(`the frame of ${content.length} bytes does not fit ${into.length} bytes`);
    },
  };
}

export function createDecompressor(): Decompressor {
  let context = freshContext();
  return {
    decompress: (frame, into) => {
      // `ZSTD_e_end`: an end that is missing is an error. Room that is left over proves that the
      // context holds nothing back for the next call.
      context.handle.writeSync(constants.ZSTD_e_end, frame, 0, frame.length, into, 0, into.length);
      const [free, unread] = context.state;
      const failure = context.failure();
      if (frame.length > 0 && failure === undefined && unread === 0 && free > 0) return into.length - free;
      context = freshContext(); // a failed one stays in the middle of its frame
      throw new RangeError(`not one frame of less than ${into.length} bytes: ${failure ?? "there is more"}`);
    },
  };
}

function freshContext(): Insides & { readonly failure: () => string | undefined } {
  const { handle, state } = insides(createZstdDecompress());
  let failure: string | undefined;
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- a native handle has only this
  handle.onerror = (message) => {
    failure = message;
  };
  return { handle, state, failure: () => failure };
}

interface Insides {
  readonly handle: Handle;
  readonly state: WriteState;
}

function insides(stream: object): Insides {
  const { _handle: handle, _writeState: state } = stream as { _handle?: Handle; _writeState?: WriteState };
  if (typeof handle?.writeSync !== "function" || !(state instanceof Uint32Array)) {
    throw new Error(`Node ${process.version} keeps its Zstandard context elsewhere: use the Node of the toolchain`);
  }
  return { handle, state };
}
