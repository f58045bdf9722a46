import { storeErrors } from "../errors.ts";
import type { Point } from "../points/points.ts";
import type { Vault } from "../vault.ts";

export async function readAttachment(vault: Vault, point: Point, name: string, signal?: AbortSignal): Promise<Buffer> {
  const attachment = point.attachments.find((known) => known.name === name);
  if (attachment === undefined) {
    const names = point.attachments.map((known) => known.name).join(", ");
    throw storeErrors.AttachmentMissing(
      `Point ${point.name} has no attachment ${name}; it has: ${names === "" ? "none" : names}.`,
    );
  }
  const parts: Buffer[] = [];
  for (const blob of attachment.blobs) parts.push(await vault.blobs.read(Buffer.from(blob, "hex"), signal));
  const content = Buffer.concat(parts);
  if (content.length === attachment.size) return content;
  throw storeErrors.ObjectDamaged(
    `Attachment ${name} of point ${point.name} has ${content.length} bytes, ${attachment.size} were stored.`,
  );
}
