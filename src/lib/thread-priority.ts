// How readily a thread yields the processor to the others of this machine. On Linux a priority is a
// thread's own, not its process's, and the number 0 means the thread that asks.

import { getPriority, setPriority } from "node:os";

export type ThreadPriority = "normal" | "background";

const most = 19;
/** What the thread was started with, which whoever started this process may have lowered. */
const normal = getPriority(0);
/** Background is a tenth of what a normal thread gets where both want the same processor. */
const numbers = { normal, background: Math.min(most, normal + 10) };
let current: ThreadPriority = "normal";

/** Of the calling thread. Going back to normal needs CAP_SYS_NICE or LimitNICE; without, it stays in the background. */
export function setThreadPriority(priority: ThreadPriority): void {
  if (priority === current) return;
  try {
    setPriority(0, numbers[priority]);
    current = priority;
  } catch {
    // It works all the same, only later than others where the processors are busy.
  }
}
