// Disks of a point as image files in a folder of a host. Room and names are looked at before the first
// byte; what an attempt that was killed left is removed by the next one, and disks that it had
// finished are not written again. Every failure is named by what the user can do about it.

import { basename, dirname, join } from "node:path";
import { HoldfastError, isErrorCode, systemCode } from "../../lib/errors.ts";
import { disk } from "../../lib/files.ts";
import { openDisk, type Point, type Vault } from "../../store/index.ts";
import { isDamage } from "../../store/damage.ts";
import { writePointDisks, type DiskFile, type Writing } from "../capture/index.ts";
import { restoreErrors } from "./errors.ts";

export interface DiskWriting extends Writing {
  readonly files: readonly DiskFile[];
  /** Paths that an earlier attempt of the same restore had begun: what is there is its own. */
  readonly begun?: ReadonlySet<string>;
  /** The names are free: from now on they are this restore's. */
  onBegin?(): Promise<void>;
}

/** Kept free at the target, so that the host goes on. */
const reserveBytes = 64 * 1024 * 1024;

export async function writeDisks(
  vault: Vault,
  point: Point,
  { files, begun = new Set(), onBegin, ...writing }: DiskWriting,
  signal?: AbortSignal,
): Promise<void> {
  try {
    const own = files.map((file) => (begun.has(file.path) ? { ...file, overwrite: true } : file));
    const wanted = own.filter(({ path }) => writing.finished?.has(path) !== true);
    for (const file of wanted) await removeLeftovers(file.path);
    await checkNames(wanted);
    await checkRoom(vault, point, wanted, signal);
    await onBegin?.();
    await writePointDisks(vault, point, own, writing, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw restoreFailure(error, point);
  }
}

/** Bytes that the disks will take as sparse files. */
export async function bytesNeeded(
  vault: Vault,
  point: Point,
  disks: readonly string[],
  signal?: AbortSignal,
): Promise<number> {
  let needed = 0;
  for (const name of disks) {
    const reader = await openDisk(vault, point, name);
    for await (const { kind, length } of reader.extents(0, reader.size, signal)) if (kind === "data") needed += length;
  }
  return needed;
}

/** The failure as the user should read it. */
export function restoreFailure(error: unknown, point: Pick<Point, "name">): unknown {
  if (isDamage(error) || isErrorCode(error, "DiskMissing")) {
    return restoreErrors.UserErrorRecoveryPointBroken(
      `The recovery point ${point.name} cannot be read whole: ${messageOf(error)}`,
      { cause: error },
    );
  }
  if (isErrorCode(error, "PointMissing")) {
    return restoreErrors.UserErrorRecoveryPointNotFound(
      `The recovery point ${point.name} is not in the vault any more: it has expired or was deleted.`,
      { cause: error },
    );
  }
  if (isErrorCode(error, "ImageExists"))
    return restoreErrors.UserErrorRestoreTargetExists(messageOf(error), { cause: error });
  if (isFull(error)) {
    return restoreErrors.UserErrorInsufficientSpaceForRestore(`The target became full: ${messageOf(error)}`, {
      cause: error,
    });
  }
  return error;
}

function isFull(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (["ENOSPC", "EDQUOT", "EFBIG"].includes(systemCode(at) ?? "")) return true;
  }
  return false;
}

async function checkNames(files: readonly DiskFile[]): Promise<void> {
  const names = new Set<string>();
  for (const { path, overwrite } of files) {
    if (names.has(path)) throw restoreErrors.UserErrorRestoreTargetInvalid(`Two disks would be written to ${path}.`);
    names.add(path);
    const folder = dirname(path);
    if ((await disk.status(folder))?.isDirectory !== true) {
      throw restoreErrors.UserErrorRestoreTargetInvalid(`${folder} is no folder.`, { remedy: "Create the folder." });
    }
    if (overwrite !== true && (await disk.linkStatus(path)) !== undefined)
      throw restoreErrors.UserErrorRestoreTargetExists(`${path} exists.`);
  }
}

async function checkRoom(
  vault: Vault,
  point: Point,
  files: readonly DiskFile[],
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const folder of new Set(files.map(({ path }) => dirname(path)))) {
    const disks = files.filter(({ path }) => dirname(path) === folder).map(({ disk: name }) => name);
    const needed = await bytesNeeded(vault, point, disks, signal);
    const free = await disk.freeBytes(folder);
    if (free >= needed + reserveBytes) continue;
    throw restoreErrors.UserErrorInsufficientSpaceForRestore(
      `${folder} has ${free} bytes free; the disks need ${needed}, and ${reserveBytes} stay free.`,
      { facts: { free, needed } },
    );
  }
}

/** Files that `createImage` had begun for this path and that nobody writes any more. */
async function removeLeftovers(path: string): Promise<void> {
  const folder = dirname(path);
  if ((await disk.status(folder))?.isDirectory !== true) return;
  const prefix = `.${basename(path)}.`;
  for (const name of await disk.list(folder)) {
    if (name.startsWith(prefix) && /^[0-9a-f-]{36}\.partial$/.test(name.slice(prefix.length)))
      await disk.remove(join(folder, name));
  }
}

function messageOf(error: unknown): string {
  if (error instanceof HoldfastError) return error.sentence;
  return error instanceof Error ? error.message : String(error);
}
