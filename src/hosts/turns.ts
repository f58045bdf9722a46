// One at a time per key, in the order of arrival.

export type Turns = <T>(key: string, run: () => Promise<T>) => Promise<T>;

export function inTurns(): Turns {
  const last = new Map<string, Promise<unknown>>();
  return async (key, run) => {
    const turn = (last.get(key) ?? Promise.resolve()).then(run, run);
    last.set(key, turn);
    try {
      return await turn;
    } finally {
      if (last.get(key) === turn) last.delete(key);
    }
  };
}
