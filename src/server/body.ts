// Request bodies, never more than the limit in memory.

import { armErrors } from "../arm/errors.ts";
import { HoldfastError } from "../lib/errors.ts";

export async function readText(request: Request, limit: number): Promise<string> {
  const tooLarge = (): Error =>
    armErrors.RequestEntityTooLarge(
      `The request content is larger than the limit of ${limit} bytes. Send less, or raise limits.bodyBytes.`,
    );
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > limit) throw tooLarge();
  if (request.body === null) return "";
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of request.body) {
      size += chunk.byteLength;
      if (size > limit) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    // A client that left is no failure of ours.
    throw armErrors.InvalidRequestContent("The request ended before its content did.", { cause });
  }
  const bytes = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw armErrors.InvalidRequestContent("The request content is not valid UTF-8.", { cause });
  }
}
