import { askByUrl, type BlobPlace } from "./ask-by-url.ts";

/** Creates or replaces a block blob; false when the URL is not of this service's blobs. */
export async function writeByUrl(
  place: BlobPlace,
  url: URL,
  contentType: string,
  content: Uint8Array,
  signal: AbortSignal,
): Promise<boolean> {
  const headers = {
    "x-ms-blob-type": "BlockBlob",
    "content-length": String(content.length),
    "content-type": contentType,
  };
  return (await askByUrl(place, { method: "PUT", url, headers, body: content }, signal)) !== undefined;
}
