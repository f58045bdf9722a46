// Bounded parallelism: at most `limit` calls at a time; the first failure ends it all.

export async function eachInParallel<T>(
  items: Iterable<T> | AsyncIterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let failed = false;
  let failure: unknown;
  try {
    for await (const item of items) {
      if (failed) break;
      const task: Promise<void> = work(item).then(
        () => void running.delete(task),
        (error: unknown) => {
          running.delete(task);
          if (!failed) failure = error;
          failed = true;
        },
      );
      running.add(task);
      if (running.size >= limit) await Promise.race(running);
    }
  } finally {
    // Also when the items come to a bad end: whoever hears of that closes what the work uses.
    await Promise.all(running);
  }
  if (failed) throw failure;
}

/** The results in the order of the items. */
export async function mapInParallel<T, Result>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  await eachInParallel(items.entries(), limit, async ([index, item]) => {
    results[index] = await work(item, index);
  });
  return results;
}
