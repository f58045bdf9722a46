// `store add`

import { disk } from "../../lib/files.ts";
import {
  beginSession,
  parsePointName,
  type AddedDisk,
  type BackupSession,
  type DiskSource,
  type Vault,
} from "../../store/index.ts";
import { openImage } from "../../store/images/open-image.ts";
import { monotonicMilliseconds } from "../../lib/clock.ts";
import { amount, duration } from "./amounts.ts";
import { readBitmapFile } from "./bitmap-file.ts";
import { peakMemoryMiB, print, wholeNumber, withVault, type VaultAccess } from "./context.ts";
import { toolErrors } from "./errors.ts";
import { checkDistinct, parseNamedFile, parseNamedImage, type NamedFile, type NamedImage } from "./named-file.ts";
import { describePoint } from "./points.ts";
import { openProgress } from "./progress.ts";

interface AddOptions extends VaultAccess {
  readonly item: string;
  readonly disk: readonly string[];
  readonly parent?: string;
  readonly bitmap?: readonly string[];
  readonly attach?: readonly string[];
  readonly lockDays?: string;
}

const dayMilliseconds = 24 * 60 * 60 * 1000;

export function addPoint(options: AddOptions): Promise<void> {
  const images = options.disk.map(parseNamedImage);
  checkDistinct("--disk", images);
  const bitmaps = parseBitmaps(options.bitmap ?? [], images);
  const attachments = (options.attach ?? []).map((text) => parseNamedFile("--attach", text));
  checkDistinct("--attach", attachments);
  if (bitmaps.length > 0 && options.parent === undefined) {
    throw toolErrors.UsageInvalid("--bitmap says what changed since a point: name that point with --parent.");
  }
  const parent =
    options.parent === undefined || options.parent === "latest" ? options.parent : parsePointName(options.parent);
  const lockDays = wholeNumber("--lock-days", options.lockDays, 1);

  return withVault(options, "write", async (vault, signal) => {
    const start = monotonicMilliseconds();
    const lockedUntil = lockDays === undefined ? undefined : vault.clock.now() + lockDays * dayMilliseconds;
    await using session = await beginSession(vault, { item: options.item, parent, lockedUntil, signal });
    const added = await addDisks(session, images, bitmaps, options, signal);
    for (const { name, path } of attachments) await session.addAttachment(name, await readAttachment(path));
    const point = await session.commit();
    const seconds = (monotonicMilliseconds() - start) / 1000;
    const warnings = warningsOf(vault, added, parent !== undefined && session.parent === undefined);
    const sums = { bytesRead: 0, bytesNew: 0, bytesStored: 0 };
    for (const { statistics } of added) {
      sums.bytesRead += statistics.bytesRead;
      sums.bytesNew += statistics.bytesNew;
      sums.bytesStored += statistics.bytesStored;
    }
    const text = [
      `Stored ${point.name} in ${duration(seconds)}: read ${amount(sums.bytesRead)}, new ${amount(sums.bytesNew)}, stored ${amount(sums.bytesStored)}.`,
      ...warnings.map((warning) => `WARNING: ${warning}`),
    ].join("\n");
    print(options, { ...describePoint(point), ...sums, seconds, peakMemoryMiB: peakMemoryMiB(), warnings }, text);
  });
}

/** All disks side by side; the first failure ends the others before the images are closed. */
async function addDisks(
  session: BackupSession,
  images: readonly NamedImage[],
  bitmaps: readonly NamedFile[],
  options: AddOptions,
  signal: AbortSignal,
): Promise<AddedDisk[]> {
  const failed = new AbortController();
  const common = AbortSignal.any([signal, failed.signal]);
  using progress = openProgress("storing", options);
  const positions = new Map<string, { position: number; size: number; bytesStored: number }>();
  const addOne = async ({ name, path, format }: NamedImage): Promise<AddedDisk> => {
    await using image = await openImage(path, format, common);
    const bitmap = bitmaps.find((entry) => entry.name === name);
    const source: DiskSource =
      bitmap === undefined ? image : { ...image, dirty: await readBitmapFile(bitmap.path, image.size) };
    positions.set(name, { position: 0, size: image.size, bytesStored: 0 });
    return await session.addDisk(name, source, {
      signal: common,
      onProgress: (disk) => {
        positions.set(name, disk);
        const all = [...positions.values()];
        const sum = (of: (entry: (typeof all)[number]) => number): number =>
          all.reduce((total, entry) => total + of(entry), 0);
        progress.show(
          sum((entry) => entry.position),
          sum((entry) => entry.size),
          `${amount(sum((entry) => entry.bytesStored))} stored`,
        );
      },
    });
  };
  const results = await Promise.allSettled(
    images.map((image) =>
      addOne(image).catch((error: unknown) => {
        failed.abort(error);
        throw error;
      }),
    ),
  );
  signal.throwIfAborted();
  failed.signal.throwIfAborted();
  return results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
}

function parseBitmaps(texts: readonly string[], images: readonly NamedImage[]): NamedFile[] {
  const [only] = images;
  const bitmaps = texts.map((text) => {
    const named = images.find(({ name }) => text.startsWith(`${name}=`));
    if (named !== undefined) return { name: named.name, path: text.slice(named.name.length + 1) };
    if (images.length === 1 && only !== undefined) return { name: only.name, path: text };
    throw toolErrors.UsageInvalid(`--bitmap ${text}: with several disks say which: name=FILE.`);
  });
  checkDistinct("--bitmap", bitmaps);
  return bitmaps;
}

async function readAttachment(path: string): Promise<Buffer> {
  const status = await disk.status(path);
  if (status?.isFile === true) return disk.read(path);
  throw toolErrors.UsageInvalid(`--attach: there is no file ${path}.`);
}

function warningsOf(vault: Vault, added: readonly AddedDisk[], lacksParent: boolean): string[] {
  const warnings = added.flatMap(({ name, parentProblem }) =>
    parentProblem === undefined ? [] : [`${name}: ${parentProblem}`],
  );
  if (lacksParent) warnings.push("There is no earlier point of this item: everything was stored.");
  for (const { message } of vault.badPacks.values()) warnings.push(message);
  return warnings;
}
