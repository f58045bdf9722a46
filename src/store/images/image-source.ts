import type { DiskSource } from "../sources/disk-source.ts";

/** A disk image that is open; disposing closes the file and ends what serves it. */
export type ImageSource = DiskSource & AsyncDisposable;
