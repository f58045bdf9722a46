// Backups of several machines side by side, of which some are tried again by the service.

import { setTimeout as sleepFor } from "node:timers/promises";
import type { Rig, WireJob } from "./rig.ts";

/** The clock goes on when all that are open wait for their next attempt. */
export async function backUpAll(rig: Rig, machines: readonly string[]): Promise<WireJob[]> {
  const ended = Promise.all(machines.map((machine) => rig.backUp(machine)));
  const over = ended.then(
    () => true,
    () => true,
  );
  const seen = new Set<string>();
  while (!(await Promise.race([over, sleepFor(200, false)]))) {
    const open = (await rig.vault("GET", "/backupJobs?$filter=status%20eq%20'InProgress'")).json.value as WireJob[];
    const waits = await Promise.all(open.map(async ({ name }) => `${name} ${await attemptsOf(rig, name)}`));
    if (waits.length === 0 || waits.some((each) => each.endsWith(" 0") || seen.has(each))) continue;
    for (const each of waits) seen.add(each);
    await rig.advance(45_000);
  }
  return ended;
}

async function attemptsOf(rig: Rig, job: string): Promise<number> {
  const { json } = await rig.vault("GET", `/backupJobs/${job}`);
  const steps = Object.values(json.properties.extendedInfo.internalPropertyBag) as string[];
  return steps.filter((step) => step.includes("it is tried again")).length;
}
