// The numbers of the NBD protocol, by the names that its specification gives them.

export const greetingMagic = "NBDMAGIC";
export const optionMagic = "IHAVEOPT";
export const optionReplyMagic = 0x3e889045565a9n;
export const requestMagic = 0x25609513;
export const simpleReplyMagic = 0x67446698;
export const structuredReplyMagic = 0x668e33ef;

export const handshakeFlags = { fixedNewstyle: 1, noZeroes: 2 } as const;

export const option = {
  exportName: 1,
  abort: 2,
  list: 3,
  startTls: 5,
  info: 6,
  go: 7,
  structuredReply: 8,
  listMetaContext: 9,
  setMetaContext: 10,
} as const;

export const optionReply = { ack: 1, server: 2, info: 3, metaContext: 4 } as const;

export const optionError = {
  unsupported: 0x80000001,
  policy: 0x80000002,
  invalid: 0x80000003,
  tlsRequired: 0x80000005,
  unknownExport: 0x80000006,
  tooBig: 0x80000009,
} as const;

export const infoType = { export: 0, description: 2, blockSize: 3 } as const;

export const transmissionFlags = {
  hasFlags: 0x1,
  readOnly: 0x2,
  flush: 0x4,
  fua: 0x8,
  trim: 0x20,
  writeZeroes: 0x40,
  dontFragment: 0x80,
  multiConnection: 0x100,
  cache: 0x400,
} as const;

export const command = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  trim: 4,
  cache: 5,
  writeZeroes: 6,
  blockStatus: 7,
} as const;

export type Command = (typeof command)[keyof typeof command];

export const commandFlags = { fua: 1, noHole: 2, dontFragment: 4, oneExtent: 8 } as const;

export const chunkFlags = { done: 1 } as const;

export const chunk = { none: 0, data: 1, hole: 2, blockStatus: 5, error: 32769, errorAtOffset: 32770 } as const;

/** Every chunk type from here on reports an error. */
export const firstErrorChunk = 32768;

export const errorNumbers: Readonly<Record<number, string>> = {
  1: "EPERM",
  5: "EIO",
  12: "ENOMEM",
  22: "EINVAL",
  28: "ENOSPC",
  75: "EOVERFLOW",
  95: "ENOTSUP",
  108: "ESHUTDOWN",
};

/** What a request may carry when the server names no limit of its own. */
export const defaultMaximumPayload = 32 * 1024 * 1024;

export const longestName = 4096;

/** Meta context that says which parts are allocated and which read as zeroes. */
export const baseAllocation = "base:allocation";
export const allocationFlags = { hole: 1, zero: 2 } as const;

/** `qemu:dirty-bitmap:NAME` says which parts changed since the bitmap began; its flag is this one. */
export function dirtyBitmapContext(name: string): string {
  return `qemu:dirty-bitmap:${name}`;
}
export const dirtyFlag = 1;
