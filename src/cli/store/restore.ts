// `store restore`

import { resolve } from "node:path";
import { monotonicMilliseconds } from "../../lib/clock.ts";
import { diskOf, readDisk } from "../../store/index.ts";
import { parseWritableFormat } from "../../store/images/format.ts";
import { createImage } from "../../store/images/image-target.ts";
import { amount, duration } from "./amounts.ts";
import { peakMemoryMiB, print, withVault, type VaultAccess } from "./context.ts";
import { findPoint } from "./find-point.ts";
import { openProgress } from "./progress.ts";

interface RestoreOptions extends VaultAccess {
  readonly point: string;
  readonly disk: string;
  readonly to: string;
  readonly format?: string;
  readonly overwrite?: boolean;
}

export function restoreDisk(options: RestoreOptions): Promise<void> {
  const format = parseWritableFormat(options.format ?? "raw");
  return withVault(options, "read", async (vault, signal) => {
    const start = monotonicMilliseconds();
    const point = await findPoint(vault, options.point, signal);
    const { size } = diskOf(point, options.disk);
    await using target = await createImage(options.to, format, size, { overwrite: options.overwrite });
    using progress = openProgress("restoring", options);
    const result = await readDisk(
      vault,
      point,
      options.disk,
      { write: (bytes, offset) => target.write(bytes, offset) },
      { signal, onProgress: (done) => progress.show(done.bytesWritten + done.bytesZero, done.size) },
    );
    await target.finish();
    const seconds = (monotonicMilliseconds() - start) / 1000;
    const warnings = [...vault.badPacks.values()].map(({ message }) => message);
    const text = [
      `Restored ${options.disk} of ${point.name} to ${options.to} in ${duration(seconds)}: ${amount(result.bytesWritten)} of ${amount(size)} written, the rest is empty.`,
      ...warnings.map((warning) => `WARNING: ${warning} (healed from the second copy)`),
    ].join("\n");
    const document = {
      point: point.name,
      disk: options.disk,
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
