// A writable export on top of one that must not change. What is written lies in a scratch file, in
// units of 64 KiB, until the export is closed; then it is gone. Always true: a unit is either wholly
// in the scratch file or wholly in the base, and changes of one unit happen one after another.

import { disk } from "../lib/files.ts";
import type { NbdExport } from "./export.ts";
import type { BlockExtent } from "./extents.ts";

export interface CopyOnWriteOptions {
  readonly name: string;
  readonly scratchPath: string;
  /** Writes beyond this much of changed disk fail with ENOSPC. */
  readonly limitBytes: number;
}

export interface CopyOnWriteExport extends NbdExport, AsyncDisposable {
  /** Bytes of the disk that differ from the base, in whole units. */
  readonly changedBytes: number;
}

const unit = 64 * 1024;

export async function copyOnWrite(base: NbdExport, options: CopyOnWriteOptions): Promise<CopyOnWriteExport> {
  const scratch = await disk.open(options.scratchPath, "createNew");
  await scratch.truncate(base.size);
  const changed = new Uint8Array(Math.ceil(base.size / unit / 8));
  const changing = new Map<number, Promise<unknown>>();
  let changedUnits = 0;

  const isChanged = (index: number): boolean => ((changed[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
  const markChanged = (index: number): void => {
    changed[index >> 3] = (changed[index >> 3] ?? 0) | (1 << (index & 7));
  };

  /** `content` undefined stands for zeroes. */
  const changeUnit = async (
    index: number,
    from: number,
    to: number,
    content: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<void> => {
    const start = index * unit;
    const end = Math.min(start + unit, base.size);
    if (isChanged(index)) {
      await scratch.write(content ?? new Uint8Array(to - from), from);
      return;
    }
    if ((changedUnits + 1) * unit > options.limitBytes) {
      throw Object.assign(new Error(`The scratch file of ${options.name} has reached ${options.limitBytes} bytes.`), {
        code: "ENOSPC",
      });
    }
    changedUnits += 1;
    try {
      if (from > start || to < end) {
        const whole = new Uint8Array(end - start);
        await base.read(whole, start, signal);
        if (content === undefined) whole.fill(0, from - start, to - start);
        else whole.set(content, from - start);
        await scratch.write(whole, start);
      } else if (content !== undefined) await scratch.write(content, from);
      // Zeroes over a whole new unit: the scratch file has a hole there already.
      markChanged(index);
    } catch (error) {
      changedUnits -= 1;
      throw error;
    }
  };

  const inTurn = async (index: number, run: () => Promise<void>): Promise<void> => {
    const turn = (changing.get(index) ?? Promise.resolve()).then(run, run);
    changing.set(index, turn);
    try {
      await turn;
    } finally {
      if (changing.get(index) === turn) changing.delete(index);
    }
  };

  const change = async (
    offset: number,
    length: number,
    content: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<void> => {
    for (let from = offset; from < offset + length;) {
      const index = Math.floor(from / unit);
      const to = Math.min((index + 1) * unit, offset + length);
      const piece = content?.subarray(from - offset, to - offset);
      await inTurn(index, () => changeUnit(index, from, to, piece, signal));
      from = to;
    }
  };

  /** Neighbouring units of the same origin, as one. */
  function* origins(offset: number, length: number): Generator<{ from: number; to: number; isChanged: boolean }> {
    const end = offset + length;
    for (let from = offset; from < end;) {
      const origin = isChanged(Math.floor(from / unit));
      let to = from;
      do to = Math.min((Math.floor(to / unit) + 1) * unit, end);
      while (to < end && isChanged(Math.floor(to / unit)) === origin);
      yield { from, to, isChanged: origin };
      from = to;
    }
  }

  const writeZeroes = (offset: number, length: number, signal: AbortSignal): Promise<void> =>
    change(offset, length, undefined, signal);
  const baseExtents = base.extents?.bind(base);
  return {
    name: options.name,
    description: base.description,
    size: base.size,
    readOnly: false,
    multiConnection: true,
    preferredBlock: unit,
    get changedBytes() {
      return changedUnits * unit;
    },
    read: async (into, offset, signal) => {
      for (const { from, to, isChanged } of origins(offset, into.length)) {
        const piece = into.subarray(from - offset, to - offset);
        if (isChanged) await scratch.read(piece, from);
        else await base.read(piece, from, signal);
      }
    },
    extents:
      baseExtents &&
      async function* (offset, length, signal): AsyncGenerator<BlockExtent> {
        for (const { from, to, isChanged } of origins(offset, length)) {
          if (isChanged) yield { offset: from, length: to - from, flags: 0 };
          else yield* baseExtents(from, to - from, signal);
        }
      },
    write: (from, offset, signal) => change(offset, from.length, from, signal),
    writeZeroes,
    trim: writeZeroes,
    flush: () => scratch.sync(),
    [Symbol.asyncDispose]: async () => {
      await scratch.close();
      await disk.remove(options.scratchPath);
    },
  };
}
