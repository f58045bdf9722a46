// `store restore`

import { resolve } from "node:path";
import { monotonicMilliseconds } from "../../lib/clock.ts";
import { disk } from "../../lib/files.ts";
import { diskOf, readAttachment, readDisk, type Point, type Vault } from "../../store/index.ts";
import { parseWritableFormat } from "../../store/images/format.ts";
import { createImage } from "../../store/images/image-target.ts";
import { amount, duration } from "./amounts.ts";
import { peakMemoryMiB, print, withVault, type VaultAccess } from "./context.ts";
import { toolErrors } from "./errors.ts";
import { findPoint } from "./find-point.ts";
import { openProgress } from "./progress.ts";

interface RestoreOptions extends VaultAccess {
  readonly point: string;
  readonly disk?: string;
  readonly attachment?: string;
  readonly to: string;
  readonly format?: string;
  readonly overwrite?: boolean;
}

export function restoreDisk(options: RestoreOptions): Promise<void> {
  const format = parseWritableFormat(options.format ?? "raw");
  const name = options.disk;
  if ((name === undefined) === (options.attachment === undefined)) {
    throw toolErrors.UsageInvalid("Say what to restore: --disk NAME or --attachment NAME.");
  }
  return withVault(options, "read", async (vault, signal) => {
    const start = monotonicMilliseconds();
    const point = await findPoint(vault, options.point, signal);
    if (name === undefined) return restoreAttachment(vault, point, options, signal);
    const { size } = diskOf(point, name);
    await using target = await createImage(options.to, format, size, { overwrite: options.overwrite });
    using progress = openProgress("restoring", options);
    const result = await readDisk(
      vault,
      point,
      name,
      { write: (bytes, offset) => target.write(bytes, offset) },
      { signal, onProgress: (done) => progress.show(done.bytesWritten + done.bytesZero, done.size) },
    );
    await target.finish();
    const seconds = (monotonicMilliseconds() - start) / 1000;
    const warnings = [...vault.badPacks.values()].map(({ message }) => message);
    const text = [
      `Restored ${name} of ${point.name} to ${options.to} in ${duration(seconds)}: ${amount(result.bytesWritten)} of ${amount(size)} written, the rest is empty.`,
      ...warnings.map((warning) => `WARNING: ${warning} (healed from the second copy)`),
    ].join("\n");
    const document = {
      point: point.name,
      disk: name,
      file: resolve(options.to),
      format,
      size,
      bytesWritten: result.bytesWritten,
      bytesZero: result.bytesZero,
      seconds,
      peakMemoryMiB: peakMemoryMiB(),
      warnings,
    };
    print(options, document, text);
  });
}

async function restoreAttachment(
  vault: Vault,
  point: Point,
  options: RestoreOptions,
  signal: AbortSignal,
): Promise<void> {
  const content = await readAttachment(vault, point, options.attachment ?? "", signal);
  const file = resolve(options.to);
  if (options.overwrite !== true && (await disk.linkStatus(file)) !== undefined) {
    throw toolErrors.UsageInvalid(`${file} exists.`, { remedy: "Choose another name, or say --overwrite." });
  }
  await disk.writeDurably(file, content);
  const text = `Restored ${options.attachment} of ${point.name} to ${options.to}: ${amount(content.length)}.`;
  print(options, { point: point.name, attachment: options.attachment, file, size: content.length }, text);
}
