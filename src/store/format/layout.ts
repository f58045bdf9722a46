// The numbers of the format; docs/vault-format.md gives their reasons.

export const formatVersion = 1;

export const unitSize = 4096;
export const regionUnits = 256;
export const regionSize = regionUnits * unitSize;
export const leafRegions = 128;
export const leafUnits = leafRegions * regionUnits;
export const leafSize = leafUnits * unitSize;
export const nodeFanOut = 256;

export const maxBlobSize = 1024 * 1024;
export const maxItemBytes = 64;
export const maxAttachmentSize = 64 * 1024 * 1024;
export const maxPointSize = 16 * 1024 * 1024;
export const maxIndexSize = 64 * 1024 * 1024;
export const maxPackSize = 64 * 1024 * 1024;
export const maxKeptDocument = 1024 * 1024;

export const idLength = 32;
export const tagLength = 16;

export const blobKinds = { data: 0, map: 1, attachment: 2 } as const;
export type BlobKind = (typeof blobKinds)[keyof typeof blobKinds];

export const objectKinds = {
  config: 0x43,
  pack: 0x50,
  packByBlake2b: 0x42,
  index: 0x49,
  point: 0x52,
  session: 0x53,
  collection: 0x47,
  quarantine: 0x51,
  keptDocument: 0x4b,
} as const;
export type ObjectKind = (typeof objectKinds)[keyof typeof objectKinds];
