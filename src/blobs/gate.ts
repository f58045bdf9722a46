// At most so many at once; the others wait in line.

export interface Gate {
  run<T>(work: () => Promise<T>): Promise<T>;
}

export function gate(atOnce: number): Gate {
  let free = atOnce;
  const waiting: (() => void)[] = [];
  return {
    run: async (work) => {
      if (free > 0) free -= 1;
      else await new Promise<void>((admitted) => waiting.push(admitted));
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next === undefined) free += 1;
        else next();
      }
    },
  };
}
