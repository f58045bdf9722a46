// A line on the terminal that says how far it is: done, rate, remaining. Nothing is drawn where
// nobody looks (a pipe, a log file, --json).

import { monotonicMilliseconds } from "../../lib/clock.ts";
import { amount, duration } from "./amounts.ts";

export interface Progress extends Disposable {
  /** How much is done of the total, and what else there is to say. */
  show(done: number, total: number, more?: string): void;
}

interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const drawEveryMilliseconds = 200;
/** The rate is that of the last moments, not of the whole: a stall shows. */
const rateWindowMilliseconds = 5000;

export function openProgress(
  label: string,
  options: { readonly json?: boolean },
  unit: "bytes" | "blobs" = "bytes",
  terminal: Terminal = process.stderr,
  now: () => number = monotonicMilliseconds,
): Progress {
  if (terminal.isTTY !== true || options.json === true) return { show: () => {}, [Symbol.dispose]: () => {} };
  const shown = (number: number): string => (unit === "bytes" ? amount(number) : `${Math.round(number)} blobs`);
  const samples: { at: number; done: number }[] = [];
  let drawnAt = Number.NEGATIVE_INFINITY;
  return {
    show: (done, total, more = "") => {
      const at = now();
      if (at - drawnAt < drawEveryMilliseconds && done < total) return;
      drawnAt = at;
      samples.push({ at, done });
      while (samples.length > 2 && at - (samples[0]?.at ?? at) > rateWindowMilliseconds) samples.shift();
      const first = samples[0] ?? { at, done };
      const rate = at > first.at ? ((done - first.done) * 1000) / (at - first.at) : 0;
      const remaining = rate > 0 ? `, ${duration((total - done) / rate)} left` : "";
      const percent = total === 0 ? 100 : Math.floor((done * 100) / total);
      const line = `${label} ${percent}% of ${shown(total)}, ${shown(rate)}/s${remaining}${more === "" ? "" : `, ${more}`}`;
      terminal.write(`\r\x1b[K${line.slice(0, (terminal.columns ?? 80) - 1)}`);
    },
    [Symbol.dispose]: () => {
      if (drawnAt > Number.NEGATIVE_INFINITY) terminal.write("\r\x1b[K");
    },
  };
}
