// Kills a process of ours at a moment of chance, as a power cut would, and keeps what it had said.
// A victim prints a line for each promise that it has made ("this is committed"); a test then checks
// that every promise was kept and that nothing is half done.

import { spawn } from "node:child_process";
import { once } from "node:events";

export interface Victim {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Moment {
  /** How many lines it may say first; 0 hits it while it starts. */
  readonly afterLines: number;
  /** Then so much longer. */
  readonly milliseconds: number;
}

/** Mostly in the middle of work; now and then while the victim starts. */
export function chooseMoment(random: () => number): Moment {
  if (random() < 0.15) return { afterLines: 0, milliseconds: Math.floor(random() * 400) };
  return { afterLines: 1 + Math.floor(random() * 40), milliseconds: random() * 8 };
}

/**
 * Returns the whole lines that the victim had said when it was killed. `strike` hits something else
 * that the victim stands on, just before; it may end of that by itself.
 */
export async function runAndKill(victim: Victim, moment: Moment, strike?: () => Promise<void>): Promise<string[]> {
  const child = spawn(victim.program, victim.args, {
    env: { ...process.env, ...victim.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  let complained = "";
  const enough = Promise.withResolvers<void>();
  if (moment.afterLines === 0) enough.resolve();
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
    if (said.split("\n").length > moment.afterLines) enough.resolve();
  });
  child.stderr.on("data", (chunk: Buffer) => (complained = (complained + chunk.toString()).slice(-4_000)));
  const closed = once(child, "close");
  await Promise.race([enough.promise, closed]);
  await Promise.race([new Promise((resolve) => setTimeout(resolve, moment.milliseconds)), closed]);
  await strike?.();
  child.kill("SIGKILL");
  const [code] = (await closed) as [number | null];
  if (code !== null && strike === undefined) throw new Error(`the victim ended by itself with ${code}: ${complained}`);
  return said.split("\n").slice(0, -1);
}
