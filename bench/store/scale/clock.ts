// Wall time, and the processor time of the whole process with its threads: the second one says
// something on a machine that has other things to do, too.

export interface Cost {
  readonly wall: number;
  readonly processor: number;
}

export async function costOf(work: () => Promise<void>): Promise<Cost> {
  const from = performance.now();
  const used = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(used);
  return { wall: (performance.now() - from) / 1000, processor: (user + system) / 1e6 };
}

export const costText = ({ wall, processor }: Cost): string =>
  `${wall.toFixed(2)} s (${processor.toFixed(2)} s of processor)`;

export const ratioText = (one: Cost, other: Cost): string =>
  `${(one.wall / other.wall).toFixed(2)} (processor ${(one.processor / other.processor).toFixed(2)})`;
