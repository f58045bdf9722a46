// What a query may still be reading is not removed: it waits until every reader has left that had
// come before it was retired.

export interface Readers {
  /** Returns what to call on leaving. */
  enter(): () => void;
  /** Runs `remove` once nobody can be reading the thing any more. */
  retire(remove: () => Promise<void>): void;
  /** Resolves when all that could be removed has been. */
  settled(): Promise<void>;
}

export function createReaders(report: (error: unknown) => void): Readers {
  const present = new Set<object>();
  const waiting: { readonly readers: Set<object>; readonly remove: () => Promise<void> }[] = [];
  let removing: Promise<void> = Promise.resolve();

  const sweep = (): void => {
    for (const item of waiting.splice(0)) {
      if (item.readers.size > 0) waiting.push(item);
      else removing = removing.then(item.remove).catch(report);
    }
  };
  return {
    enter: () => {
      const reader = {};
      present.add(reader);
      return () => {
        present.delete(reader);
        for (const { readers } of waiting) readers.delete(reader);
        sweep();
      };
    },
    retire: (remove) => {
      waiting.push({ readers: new Set(present), remove });
      sweep();
    },
    settled: () => removing,
  };
}
