import { askByUrl, type BlobPlace } from "./ask-by-url.ts";
import { blobErrors } from "./errors.ts";

/** Undefined when the URL is not of this service's blobs. */
export async function readByUrl(
  place: BlobPlace,
  url: URL,
  limitBytes: number,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const reply = await askByUrl(place, { method: "GET", url }, signal);
  if (reply === undefined) return undefined;
  const { body = "" } = reply;
  return typeof body === "string" ? Buffer.from(body) : collect(body, limitBytes);
}

async function collect(body: AsyncIterable<Uint8Array>, limitBytes: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > limitBytes) throw blobErrors.RequestBodyTooLarge(`The blob is larger than ${limitBytes} bytes.`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
