// `./holdfast up --demo`: what Holdfast is for, done once before your eyes through the same interface
// that az uses: a machine is found, protected, backed up, changed, backed up again; a file and a disk
// are restored and compared.

import { join } from "node:path";
import { disk } from "../../lib/files.ts";
import { compareImages } from "./compare-images.ts";
import { demoBackups, type DemoBackups } from "./demo-backups.ts";
import { generatedMachine } from "./generated-images.ts";
import { sha256, type DemoContent, type DemoMachine } from "./machine.ts";
import { installForGuest } from "./packages.ts";
import { missingPrograms, runningGuest } from "./running-guest.ts";
import { connectService } from "../service-client.ts";
import { tellStory, type Story } from "./story.ts";

export interface Demo {
  readonly ok: boolean;
  readonly steps: Story["steps"];
  /** Ends what the demo runs beside the service. */
  stop(): Promise<void>;
}

/** A failure is told and ends the story; the service runs on, so that one can look. */
export async function runDemo(data: string): Promise<Demo> {
  const story = tellStory((text) => process.stderr.write(text));
  let machine: DemoMachine | undefined;
  try {
    story.say("\nThe demo, in about a minute (what runs under emulation takes its time):\n");
    machine = await story.step("machine", "Preparing a machine", () => prepareMachine(data, story), describe);
    await tell(story, data, machine);
    story.say("\nEverything that was restored is what was backed up. The service goes on with this history.\n");
  } catch {
    story.say("\nThe demo ended early. The service goes on; ./holdfast doctor says what is missing here.\n");
  }
  return { ok: story.ok, steps: story.steps, stop: async () => machine?.stop() };
}

const describe = ({ name, description }: DemoMachine): string => `${name}: ${description}`;

async function prepareMachine(data: string, story: Story): Promise<DemoMachine> {
  const folder = join(data, "demo");
  if (missingPrograms().length > 0) await installForGuest(missingPrograms(), story);
  const missing = missingPrograms();
  if (missing.length === 0) return runningGuest(folder);
  story.say(`    ${missing.join(", ")} is missing, so no machine can run here: disk images are generated instead`);
  return generatedMachine(folder);
}

async function tell(story: Story, data: string, machine: DemoMachine): Promise<void> {
  const client = await connectService(data);
  const backups = demoBackups(client);
  const machineId = await story.step(
    "discover",
    "Telling the service where machines are",
    () => backups.addHost(machine),
    (id) => `found ${id.split("/").at(-1)}`,
  );
  await story.step(
    "protect",
    "Making a vault and protecting the machine by its default policy",
    () => backups.protect(machineId),
    () => "protected: a backup each day, kept for 30 days",
  );
  const round = await backups.countPoints();
  const change = (number: number): Promise<DemoContent> => machine.change(number, { client, machineId });
  await story.step("write", "Writing a report onto the last disk", () => change(round + 1), told);
  await backUp(story, backups, "firstBackup", round === 0 ? "The first backup: everything" : "A backup");
  const second = await story.step("change", "Changing the report", () => change(round + 2), told);
  const point = await backUp(story, backups, "secondBackup", "The next backup: only what changed");
  const { file } = second;
  if (file !== undefined) {
    await story.step(
      "restoreFile",
      "Restoring the report alone, out of the recovery point",
      async () => {
        const recovered = join(data, "demo", "report.txt");
        await disk.remove(recovered);
        await backups.recoverFile(point, file, recovered);
        const content = await disk.read(recovered);
        if (sha256(content) !== second.sha256) throw new Error("the report that came back is another one");
        return content.length;
      },
      (bytes) => `${mebibytes(bytes)} in ${join(data, "demo", "report.txt")}, the same to the last byte`,
    );
  }
  await story.step(
    "restoreDisk",
    "Restoring the last disk and comparing it with the machine's",
    async () => {
      const restored = join(data, "demo", "restored.vhd");
      await disk.remove(restored);
      const size = await backups.restoreDisk(point, machine.comparedDisk.lun, restored);
      await compareImages(machine.comparedDisk, { path: restored, size });
      await disk.remove(restored);
      return size;
    },
    (size) => `${mebibytes(size)}, the same to the last byte`,
  );
}

const told = ({ bytes, sha256: hash }: DemoContent): string => `${mebibytes(bytes)}, SHA-256 ${hash.slice(0, 12)}…`;

function backUp(story: Story, backups: DemoBackups, name: string, title: string): Promise<string> {
  let summary = "";
  return story.step(
    name,
    title,
    async () => {
      const { point, consistency, size } = await backups.backUp();
      summary = `${consistency}, ${size} transferred`;
      return point;
    },
    () => summary,
  );
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
