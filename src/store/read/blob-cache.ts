// Opened blobs, the least recently used go first. Whoever asks for a blob that is being opened
// waits for the same opening.

export interface BlobCache {
  get(key: string, load: () => Promise<Buffer>): Promise<Buffer>;
  has(key: string): boolean;
}

export function blobCache(maxBytes: number): BlobCache {
  const entries = new Map<string, { content: Promise<Buffer>; size: number }>();
  let bytes = 0;

  function drop(key: string): void {
    const entry = entries.get(key);
    if (entry === undefined) return;
    entries.delete(key);
    bytes -= entry.size;
  }

  return {
    has: (key) => entries.has(key),
    get: async (key, load) => {
      const known = entries.get(key);
      if (known !== undefined) {
        entries.delete(key);
        entries.set(key, known);
        return known.content;
      }
      const entry = { content: load(), size: 0 };
      entries.set(key, entry);
      try {
        const content = await entry.content;
        if (entries.get(key) === entry) {
          entry.size = content.length;
          bytes += content.length;
          for (const oldest of entries.keys()) {
            if (bytes <= maxBytes || oldest === key) break;
            drop(oldest);
          }
        }
        return content;
      } catch (error) {
        if (entries.get(key) === entry) drop(key);
        throw error;
      }
    },
  };
}
