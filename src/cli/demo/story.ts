// The demo's steps: each is told as it happens and timed. What is told goes to standard error, because
// standard output may carry the one line of JSON.

import { HoldfastError } from "../../lib/errors.ts";
import { monotonicMilliseconds } from "../../lib/clock.ts";

export interface StoryStep {
  readonly name: string;
  readonly seconds: number;
  readonly ok: boolean;
}

export interface Story {
  readonly steps: readonly StoryStep[];
  readonly ok: boolean;
  /** Runs a step; what it returns is told as its result. A step that fails ends the story. */
  step<T>(name: string, title: string, work: () => Promise<T>, result: (value: T) => string): Promise<T>;
  say(text: string): void;
}

export function tellStory(write: (text: string) => void): Story {
  const steps: StoryStep[] = [];
  const say = (text: string): void => write(`${text}\n`);
  return {
    steps,
    get ok() {
      return steps.length > 0 && steps.every(({ ok }) => ok);
    },
    say,
    step: async (name, title, work, result) => {
      say(`  ${title} ...`);
      const start = monotonicMilliseconds();
      const seconds = (): number => Math.round(monotonicMilliseconds() - start) / 1000;
      try {
        const value = await work();
        steps.push({ name, seconds: seconds(), ok: true });
        say(`    ${seconds().toFixed(1).padStart(5)} s  ${result(value)}`);
        return value;
      } catch (error) {
        steps.push({ name, seconds: seconds(), ok: false });
        const why = error instanceof HoldfastError ? error.sentence : error instanceof Error ? error.message : "";
        say(`    ${seconds().toFixed(1).padStart(5)} s  FAILED: ${why}`);
        throw error;
      }
    },
  };
}
