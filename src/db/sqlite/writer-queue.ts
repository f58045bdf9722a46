// SQLite has one writer, and our transactions await between statements: whoever writes holds this
// queue from BEGIN to COMMIT, so that two transactions never interleave on the one connection.

import { databaseErrors } from "../errors.ts";

export interface WriterQueue {
  /** Waits for its turn; the returned function ends the turn. */
  enter(): Promise<() => void>;
  /** Resolves when nobody is inside or waiting. */
  idle(): Promise<void>;
}

export function writerQueue(patienceMilliseconds: number): WriterQueue {
  let occupied = false;
  const waiting: (() => void)[] = [];
  const idlers: (() => void)[] = [];

  function leave(): void {
    const next = waiting.shift();
    if (next !== undefined) return next();
    occupied = false;
    for (const resolve of idlers.splice(0)) resolve();
  }

  function turn(): () => void {
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      leave();
    };
  }

  return {
    enter: () => {
      if (!occupied) {
        occupied = true;
        return Promise.resolve(turn());
      }
      return new Promise((resolve, reject) => {
        const called = (): void => {
          clearTimeout(timer);
          resolve(turn());
        };
        const timer = setTimeout(() => {
          waiting.splice(waiting.indexOf(called), 1);
          reject(
            databaseErrors.DatabaseBusy(
              `No write for ${patienceMilliseconds} ms: a transaction holds the database, ${waiting.length} more wait.`,
            ),
          );
        }, patienceMilliseconds);
        waiting.push(called);
      });
    },
    idle: () => (occupied ? new Promise((resolve) => idlers.push(resolve)) : Promise.resolve()),
  };
}
