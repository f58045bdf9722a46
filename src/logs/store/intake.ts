// How rows get in. A batch is acknowledged when it is in the journal, durably, and in memory, where
// queries see it. Batches that arrive together are written together; while one group goes into
// memory, the next is on its way into the journal.

import { logErrors } from "../errors.ts";
import { entryFrame, readEntry, type JournalEntry } from "../journal/entry.ts";
import type { Frame } from "../journal/frames.ts";
import type { Journal } from "../journal/journal.ts";
import type { RowBlock } from "../rows/row-block.ts";
import { createSerial } from "./serial.ts";
import type { StoreState } from "./state.ts";

export interface Intake {
  add(entry: JournalEntry): Promise<void>;
  /** Puts what the journal had before this start into memory. */
  replay(frames: AsyncIterable<Frame>): Promise<void>;
  /** Runs `work` while nothing is being written, and all that was written is in memory. */
  still<T>(work: () => Promise<T>): Promise<T>;
  /** The journal has what memory lacks: only a new start makes them agree. */
  readonly hasFailed: boolean;
  /** Resolves when nothing waits any more. */
  settled(): Promise<void>;
}

interface Waiting {
  readonly entry: JournalEntry;
  readonly frame: Buffer;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export function createIntake(state: StoreState, journal: Journal, wrote: () => void): Intake {
  const queue: Waiting[] = [];
  const writer = createSerial();
  let applying: Promise<void> = Promise.resolve();
  let draining: Promise<void> | undefined;
  let failed: unknown;

  const apply = async (entries: readonly JournalEntry[]): Promise<void> => {
    const fresh = untaken(state.positions, entries);
    for (const entry of fresh) state.usage.note(entry);
    const arrived = fresh.flatMap(({ blocks }) => blocks);
    for (const [key, blocks] of Map.groupBy(arrived, keyOf)) {
      const [{ workspace, table } = { workspace: "", table: "" }] = blocks;
      for (const { columns } of blocks)
        state.columns.grow(
          workspace,
          table,
          columns.map(({ name }) => name),
        );
      await state.generations.at(-1)?.append(key, state.columns.of(workspace, table), blocks);
    }
  };

  const applyGroup = async (group: readonly Waiting[]): Promise<void> => {
    try {
      refuseAfterFailure();
      await apply(group.map(({ entry }) => entry));
      for (const { resolve } of group) resolve();
    } catch (error) {
      failed ??= error;
      for (const { reject } of group) reject(error);
    }
  };

  const writeGroup = async (group: readonly Waiting[]): Promise<void> => {
    try {
      refuseAfterFailure();
      await journal.write(group.map(({ frame }) => frame));
    } catch (error) {
      for (const { reject } of group) reject(error);
      return;
    }
    await applying;
    applying = applyGroup(group);
    wrote();
  };

  const refuseAfterFailure = (): void => {
    if (failed !== undefined)
      throw logErrors.LogsUnavailable("An earlier batch could not be stored.", { cause: failed });
  };

  const drain = async (): Promise<void> => {
    while (queue.length > 0) {
      // Whoever was answered just now may have more: it goes with the next write, not with one of its own.
      await new Promise((resolve) => void setImmediate(resolve));
      await writer(() => writeGroup(takeGroup(queue)));
    }
    draining = undefined;
  };

  return {
    add: async (entry) => {
      const frame = entryFrame(entry);
      await new Promise<void>((resolve, reject) => {
        queue.push({ entry, frame, resolve, reject });
        draining ??= drain();
      });
    },
    replay: async (frames) => {
      for await (const { payload } of frames) await apply([readEntry(payload)]);
    },
    still: (work) =>
      writer(async () => {
        await applying;
        return work();
      }),
    get hasFailed() {
      return failed !== undefined;
    },
    settled: async () => {
      await draining;
      await applying;
    },
  };
}

function keyOf({ workspace, table }: RowBlock): string {
  return `${workspace}/${table}`;
}

/** The entries whose position has not been taken in, which it is from now on. */
function untaken(positions: Map<string, number>, entries: readonly JournalEntry[]): JournalEntry[] {
  return entries.filter(({ origin }) => {
    if (origin === undefined) return true;
    if (origin.position <= (positions.get(origin.source) ?? -1)) return false;
    positions.set(origin.source, origin.position);
    return true;
  });
}

const groupBytes = 8 * 1024 * 1024;

/** What goes into one write: at least one batch. */
function takeGroup(queue: Waiting[]): Waiting[] {
  let bytes = 0;
  let count = 0;
  while (count < queue.length && (count === 0 || bytes < groupBytes)) bytes += queue[count++]?.frame.length ?? 0;
  return queue.splice(0, count);
}
