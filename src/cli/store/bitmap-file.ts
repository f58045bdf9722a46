// Bitmap files say where a disk may have changed. Two forms: a JSON list of {"offset","length"} (also
// what `nbdinfo --map --json` and `qemu-img map --output=json` print, of which the entries that are
// not dirty are left out), and the text that `nbdinfo --map=qemu:dirty-bitmap:NAME` prints.

import { z } from "zod";
import { disk } from "../../lib/files.ts";
import type { DirtyRun } from "../../store/index.ts";
import { toolErrors } from "./errors.ts";

const largestFile = 256 * 1024 * 1024;

const amount = z.number().int().nonnegative();
const list = z.array(
  z.object({
    offset: amount,
    length: amount,
    /** nbdinfo: the flags of the run; 0 is clean. */
    type: amount.optional(),
  }),
);

export async function readBitmapFile(path: string, diskSize: number): Promise<DirtyRun[]> {
  const status = await disk.status(path);
  if (status === undefined || !status.isFile) throw toolErrors.BitmapInvalid(`There is no bitmap file ${path}.`);
  if (status.size > largestFile) throw toolErrors.BitmapInvalid(`The bitmap file ${path} has ${status.size} bytes.`);
  const text = (await disk.read(path)).toString("utf8");
  const runs = /^\s*\[/.test(text) ? parseJson(path, text) : parseText(path, text);
  return normalized(path, runs, diskSize);
}

function parseJson(path: string, text: string): DirtyRun[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw toolErrors.BitmapInvalid(`The bitmap file ${path} begins like JSON and is not.`, { cause });
  }
  const parsed = list.safeParse(value);
  if (!parsed.success) {
    throw toolErrors.BitmapInvalid(
      `The bitmap file ${path} is no list of {"offset","length"}: ${z.prettifyError(parsed.error).slice(0, 200)}`,
    );
  }
  return parsed.data.filter(({ type }) => type !== 0).map(({ offset, length }) => ({ offset, length }));
}

/** Lines of `offset length flags [name]`; flags 0 is clean. */
function parseText(path: string, text: string): DirtyRun[] {
  const runs: DirtyRun[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const match = /^\s*(\d{1,16})\s+(\d{1,16})\s+(\d{1,10})(\s+\S.*)?$/.exec(line);
    if (match === null) {
      throw toolErrors.BitmapInvalid(
        `Line ${index + 1} of the bitmap file ${path} is not "offset length flags": ${line.slice(0, 80)}`,
      );
    }
    if (Number(match[3]) !== 0) runs.push({ offset: Number(match[1]), length: Number(match[2]) });
  }
  return runs;
}

/** Ascending, without overlaps, inside the disk: a run that leaves it belongs to another disk. */
function normalized(path: string, runs: readonly DirtyRun[], diskSize: number): DirtyRun[] {
  const result: { offset: number; length: number }[] = [];
  for (const { offset, length } of [...runs].sort((one, other) => one.offset - other.offset)) {
    if (length === 0) continue;
    if (offset + length > diskSize) {
      throw toolErrors.BitmapInvalid(
        `The bitmap file ${path} names ${length} bytes at ${offset}; the disk ends at ${diskSize}.`,
        { remedy: "It belongs to another disk, or the disk became smaller: leave it out." },
      );
    }
    const last = result.at(-1);
    if (last === undefined || offset > last.offset + last.length) result.push({ offset, length });
    else last.length = Math.max(last.length, offset + length - last.offset);
  }
  return result;
}
