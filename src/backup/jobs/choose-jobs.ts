// Which of the waiting jobs start now. Pure: what waits, what runs, the limits. Vaults take turns: of
// those with something to start, the one with the fewest running jobs is next, so a vault with a thousand
// machines does not keep another one waiting.

export interface OpenJob {
  readonly id: string;
  readonly vaultKey: string;
  readonly hostId: string | undefined;
  readonly startedAt: number;
  readonly isRunning: boolean;
}

export interface JobLimits {
  /** In this process. */
  readonly server: number;
  readonly vault: number;
  readonly host: number;
}

/** `jobs`: all that are open; those that must wait for their time are left out. `free`: places of this process. */
export function chooseJobs(jobs: readonly OpenJob[], limits: JobLimits, free: number): OpenJob[] {
  const running = jobs.filter(({ isRunning }) => isRunning);
  const inVault = countBy(running, ({ vaultKey }) => vaultKey);
  const onHost = countBy(running, ({ hostId }) => hostId ?? "");
  const queues = new Map<string, OpenJob[]>();
  for (const job of [...jobs].sort((a, b) => a.startedAt - b.startedAt || (a.id < b.id ? -1 : 1))) {
    if (job.isRunning) continue;
    const queue = queues.get(job.vaultKey);
    if (queue === undefined) queues.set(job.vaultKey, [job]);
    else queue.push(job);
  }
  const chosen: OpenJob[] = [];
  const mayStart = ({ hostId }: OpenJob): boolean => hostId === undefined || (onHost.get(hostId) ?? 0) < limits.host;
  while (chosen.length < free) {
    let best: { readonly queue: OpenJob[]; readonly at: number; readonly load: number } | undefined;
    for (const [vault, queue] of queues) {
      const load = inVault.get(vault) ?? 0;
      if (load >= limits.vault || (best !== undefined && load >= best.load)) continue;
      const at = queue.findIndex(mayStart);
      if (at !== -1) best = { queue, at, load };
    }
    if (best === undefined) break;
    const [job] = best.queue.splice(best.at, 1);
    if (job === undefined) break;
    chosen.push(job);
    inVault.set(job.vaultKey, (inVault.get(job.vaultKey) ?? 0) + 1);
    if (job.hostId !== undefined) onHost.set(job.hostId, (onHost.get(job.hostId) ?? 0) + 1);
  }
  return chosen;
}

function countBy<T>(list: readonly T[], keyOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of list) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}
