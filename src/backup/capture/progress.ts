// How far the disks of a point are, all together.

import { monotonicMilliseconds } from "../../lib/clock.ts";
import type { DiskProgress } from "../../store/session/disk-writer.ts";

export interface CaptureProgress {
  /** What there is to look at: changed bytes, or whole disks. */
  readonly bytesTotal: number;
  /** How much of that is done; holes count. */
  readonly bytesDone: number;
  readonly bytesRead: number;
  /** What the reading put into the store. */
  readonly bytesStored: number;
  /** Bytes read a second since the transfer began. */
  readonly rate: number;
}

export interface ProgressMeter {
  /** `expected`: what this disk has to look at. */
  begin(disk: string, expected: number, isWhole: boolean): void;
  update(progress: DiskProgress): void;
}

interface DiskPart {
  readonly expected: number;
  readonly isWhole: boolean;
  done: number;
  read: number;
  stored: number;
}

export function progressMeter(report: (progress: CaptureProgress) => void): ProgressMeter {
  const startedAt = monotonicMilliseconds();
  const parts = new Map<string, DiskPart>();
  const tell = (): void => {
    const all = [...parts.values()];
    const sum = (of: (part: DiskPart) => number): number => all.reduce((total, part) => total + of(part), 0);
    const bytesRead = sum(({ read }) => read);
    const seconds = Math.max(0.001, (monotonicMilliseconds() - startedAt) / 1000);
    report({
      bytesTotal: sum(({ expected }) => expected),
      bytesDone: sum(({ done }) => done),
      bytesRead,
      bytesStored: sum(({ stored }) => stored),
      rate: Math.round(bytesRead / seconds),
    });
  };
  return {
    begin: (disk, expected, isWhole) => {
      parts.set(disk, { expected, isWhole, done: 0, read: 0, stored: 0 });
      tell();
    },
    update: ({ disk, position, bytesRead, bytesStored }) => {
      const part = parts.get(disk);
      if (part === undefined) return;
      part.read = bytesRead;
      part.stored = bytesStored;
      part.done = Math.min(part.expected, part.isWhole ? position : bytesRead);
      tell();
    },
  };
}
