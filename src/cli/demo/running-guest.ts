// With QEMU: a Linux guest of Debian packages that boots in seconds, with an agent and two data disks.

import { join } from "node:path";
import { openQemuHost } from "../../hosts/qemu/host.ts";
import { isErrorCode } from "../../lib/errors.ts";
import { disk } from "../../lib/files.ts";
import { findProgram } from "../../lib/processes.ts";
import { newGuid } from "../../lib/random.ts";
import { sleep } from "../../lib/time.ts";
import { buildPrograms } from "../../tiny-guest/debian-packages.ts";
import { tinyGuest } from "../../tiny-guest/tiny-guest.ts";
import { dataBytes, type DemoMachine } from "./machine.ts";

const name = "demo-vm";
const memoryBytes = 192 * 1024 * 1024;
const stopMilliseconds = 3000;
const bootMilliseconds = 90_000;
const retryMilliseconds = 1000;
/** In the guest; its file system is on the last disk. */
const file = "/mnt/b/report.txt";

/** Programs without which no guest can be built and run here. */
export function missingPrograms(): string[] {
  return ["qemu-system-x86_64", ...buildPrograms].filter((program) => findProgram(program) === undefined);
}

export async function runningGuest(folder: string): Promise<DemoMachine> {
  const sockets = join(folder, "machines");
  await disk.makeDirectory(sockets);
  const image = await tinyGuest({ cache: join(folder, "guest") });
  const disks = ["sys", "a", "b"] as const;
  const path = (which: string): string => join(sockets, `${name}-${which}.qcow2`);
  for (const which of disks) {
    if ((await disk.status(path(which))) === undefined)
      await disk.writeDurably(path(which), await disk.read(image.disks[which]));
  }
  const host = openQemuHost({ socketFolder: sockets });
  try {
    const { lifecycle } = host;
    if (lifecycle === undefined) throw new Error("a QEMU host runs machines");
    const known = (await host.listMachines()).find((machine) => machine.name === name);
    const id = known?.id ?? newGuid();
    if (known === undefined) {
      await lifecycle.define({
        name,
        id,
        memoryBytes,
        processors: 1,
        network: "none",
        disks: disks.map((which) => ({ id: which, source: { kind: "image", path: path(which), format: "qcow2" } })),
        kernel: { path: image.kernelPath, initrdPath: image.initrdPath, commandLine: image.commandLine },
      });
    }
    if (known?.powerState !== "running") await lifecycle.start(id);
    return {
      name,
      description: "a Linux guest with an agent, a system disk and two data disks",
      host: { kind: "qemu", socketDirectory: sockets },
      change: async (round, { client, machineId }) => {
        const answer = await onceItAnswers(() =>
          client.armToEnd("POST", `${machineId}/runCommand?api-version=2022-11-01`, {
            commandId: "RunShellScript",
            script: [changeScript(round)],
          }),
        );
        const hash = /sha256=([0-9a-f]{64})/.exec(JSON.stringify(answer))?.[1];
        if (hash === undefined)
          throw new Error(`the guest did not write its file: ${JSON.stringify(answer).slice(0, 400)}`);
        return { sha256: hash, bytes: dataBytes, file: { label: "DATAB", path: "report.txt" } };
      },
      comparedDisk: { path: path("b"), format: "qcow2", lun: 1 },
      stop: () => stopGuest(sockets),
    };
  } finally {
    await host.close();
  }
}

/** A guest that boots under emulation takes its time. */
async function onceItAnswers<T>(ask: () => Promise<T>): Promise<T> {
  for (let waited = 0; ; waited += retryMilliseconds) {
    try {
      return await ask();
    } catch (error) {
      if (waited >= bootMilliseconds) throw error;
      await sleep(retryMilliseconds);
    }
  }
}

/** The disk is not mounted afterwards, so it stays as it is: a restored one can be compared with it. */
function changeScript(round: number): string {
  return [
    "set -e",
    'grep -q " /mnt/b " /proc/mounts || mount -t ext4 $(findfs LABEL=DATAB) /mnt/b',
    `seq ${round}000000 ${round}999999 | head -c ${dataBytes} > ${file}`,
    `echo sha256=$(sha256sum ${file} | cut -d' ' -f1)`,
    "umount /mnt/b",
  ].join("\n");
}

async function stopGuest(sockets: string): Promise<void> {
  const host = openQemuHost({ socketFolder: sockets });
  try {
    const machine = (await host.listMachines()).find((one) => one.name === name);
    if (machine?.powerState === "running") await host.lifecycle?.stop(machine.id, stopMilliseconds);
  } catch (error) {
    if (!isErrorCode(error, "MachineNotFound")) throw error;
  } finally {
    await host.close();
  }
}
