// Wall time, and the processor time of the whole process with its threads: the second one says
// something on a machine that has other things to do, too.

export interface Cost {
  readonly wall: number;
  readonly processor: number;
  /** The part of it that the main thread had: what other cores cannot take over. */
  readonly mainThread: number;
}

export async function costOf(work: () => Promise<void>): Promise<Cost> {
  const from = performance.now();
  const used = process.cpuUsage();
  const ours = process.threadCpuUsage();
  await work();
  const all = process.cpuUsage(used);
  const main = process.threadCpuUsage(ours);
  return {
    wall: (performance.now() - from) / 1000,
    processor: (all.user + all.system) / 1e6,
    mainThread: (main.user + main.system) / 1e6,
  };
}

export const costText = ({ wall, processor, mainThread }: Cost): string =>
  `${wall.toFixed(2)} s (${processor.toFixed(2)} s of processor, ${mainThread.toFixed(2)} s of it on the main thread)`;

export const ratioText = (one: Cost, other: Cost): string =>
  `${(one.wall / other.wall).toFixed(2)} (processor ${(one.processor / other.processor).toFixed(2)})`;
