// The journal: what was written to it survives a power cut. Batches that arrive while the disk is
// busy go together in the next write, with one fsync. Segments are named after their first sequence
// number; a segment ends when it is rolled, and only the last may end in a torn write.

import { join } from "node:path";
import type { FileSystem, OpenFile } from "../../lib/files.ts";
import { logErrors } from "../errors.ts";
import { decodeFrames, numberFrame, type Frame } from "./frames.ts";

export interface Journal {
  /** Numbers the frames and writes them durably, in order. One call at a time. */
  write(frames: readonly Buffer[]): Promise<void>;
  /** Begins a new segment; what was written before is in sealed segments. */
  roll(): Promise<void>;
  /** Bytes in the present segment. */
  readonly size: number;
  readonly last: number;
  /** Forgets segments that hold nothing after `sequence`. */
  forget(sequence: number): Promise<void>;
  close(): Promise<void>;
}

export interface OpenedJournal {
  readonly journal: Journal;
  /** Every frame after `through`, in order, one segment in memory at a time. */
  readonly replay: () => AsyncGenerator<Frame>;
}

const segmentName = (first: number): string => `${String(first).padStart(16, "0")}.log`;

export async function openJournal(disk: FileSystem, folder: string, through: number): Promise<OpenedJournal> {
  await disk.makeDirectory(folder);
  const segments = (await disk.list(folder))
    .filter((name) => /^\d{16}\.log$/.test(name))
    .map((name) => Number(name.slice(0, 16)))
    .sort((a, b) => a - b);

  let last = through;
  const ending = segments.at(-1);
  if (ending !== undefined) {
    const path = join(folder, segmentName(ending));
    const content = await disk.read(path);
    const { frames, end } = decodeFrames(content);
    last = Math.max(last, frames.at(-1)?.sequence ?? ending - 1);
    if (end < content.length) {
      await using file = await disk.open(path, "readWrite");
      await file.truncate(end);
      await file.sync();
    }
  }

  let file: OpenFile;
  let size = 0;
  let broken: unknown;
  const begin = async (): Promise<void> => {
    const first = last + 1;
    file = await disk.open(join(folder, segmentName(first)), "create");
    await disk.syncDirectory(folder);
    size = 0;
    if (segments.at(-1) !== first) segments.push(first);
  };
  await begin();

  const replay = async function* (): AsyncGenerator<Frame> {
    for (const [index, first] of segments.entries()) {
      const path = join(folder, segmentName(first));
      const content = await disk.read(path);
      const { frames, end } = decodeFrames(content);
      if (end < content.length && index < segments.length - 1) {
        throw logErrors.JournalDamaged(`${path} is damaged at byte ${end} of ${content.length}.`);
      }
      for (const frame of frames) if (frame.sequence > through) yield frame;
    }
  };

  const journal: Journal = {
    get size() {
      return size;
    },
    get last() {
      return last;
    },
    write: async (frames) => {
      if (broken !== undefined)
        throw logErrors.LogsUnavailable("An earlier write to the journal failed.", { cause: broken });
      for (const [index, frame] of frames.entries()) numberFrame(frame, last + 1 + index);
      const [only] = frames;
      const bytes = frames.length === 1 && only !== undefined ? only : Buffer.concat(frames);
      try {
        await file.write(bytes, size);
        await file.sync();
      } catch (cause) {
        // What a failed fsync left behind is unknown: nothing more is promised until the next start has looked.
        broken = cause;
        throw logErrors.LogsUnavailable("The journal could not be written.", { cause });
      }
      size += bytes.length;
      last += frames.length;
    },
    roll: async () => {
      if (size === 0) return;
      await file.close();
      await begin();
    },
    forget: async (sequence) => {
      while (segments.length > 1 && (segments[1] ?? 0) <= sequence + 1) {
        await disk.remove(join(folder, segmentName(segments.shift() ?? 0)));
      }
    },
    close: () => file.close(),
  };
  return { journal, replay };
}
