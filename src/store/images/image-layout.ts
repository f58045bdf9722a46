/** How a format lays a disk's content into a file. */
export interface ImageLayout {
  write(from: Uint8Array, offset: number): Promise<void>;
  /** Writes what describes the content; the file is synced afterwards. */
  complete(): Promise<void>;
}
