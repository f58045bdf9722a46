// The machine of the helper guest: QEMU without a network, with one port to talk over and a monitor for
// whoever starts it. The machine is always the same but for its disks, so that a saved state fits it.

import type { Socket } from "node:net";
import { join } from "node:path";
import { ended, start, type ChildProcess } from "../../lib/processes.ts";
import { quickBoot } from "../../tiny-guest/quick-boot.ts";
import { fileRecoveryErrors } from "./errors.ts";
import type { HelperImage } from "./helper-image.ts";
import { openHelperPort, type HelperPort } from "./helper-port.ts";
import { listenOnce, type Listener } from "./listen-once.ts";

export interface HelperMachine extends AsyncDisposable {
  readonly port: HelperPort;
  /** Where QEMU's own monitor listens. */
  readonly monitorPath: string;
}

export interface MachineKind {
  readonly image: HelperImage;
  readonly accelerator: "kvm" | "tcg";
}

export interface MachineSettings extends MachineKind {
  /** For sockets; only its owner may enter. */
  readonly folder: string;
  readonly extraArguments: readonly string[];
  /** A file that QEMU gets as its descriptor 3. */
  readonly descriptor?: number;
}

export const qemuProgram = "qemu-system-x86_64";
/** LUKS2 keys ask for as much as a gigabyte while they are opened; nothing of it is taken before. */
const memoryMiB = 1536;
/** A root port takes eight disks, as functions of one device: they come in one event, in their order. */
const disksOfPort = 8;
const ports = 9;

export async function startMachine(settings: MachineSettings, signal?: AbortSignal): Promise<HelperMachine> {
  const { folder, extraArguments, descriptor } = settings;
  await using ends = new AsyncDisposableStack();
  const listener = ends.use(await listenOnce(join(folder, "port.sock")));
  const monitorPath = join(folder, "monitor.sock");
  const channels = [
    // In this order: who is connected to finds the monitor listening.
    ["-qmp", `unix:${escaped(monitorPath)},server=on,wait=off`],
    ["-chardev", `socket,path=${escaped(listener.path)},id=files`],
  ].flat();
  const child = start(qemuProgram, [...channels, ...machineArguments(settings), ...extraArguments], {
    stdio: ["ignore", "ignore", "pipe", ...(descriptor === undefined ? [] : [descriptor])],
  });
  ends.defer(() => endChild(child));
  let says = "";
  child.stderr?.on("data", (text: Buffer) => {
    if (says.length < 2000) says += text.toString("utf8");
  });
  const over = ended(child, qemuProgram).catch(() => 1);
  const port = openHelperPort(await connected(listener, over, () => says, signal));
  ends.defer(() => port.close());
  const owned = ends.move();
  return { port, monitorPath, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** All that a saved state depends on. */
export function machineArguments({ image, accelerator }: MachineKind): string[] {
  const rootPorts = Array.from({ length: ports }, (_, index) => [
    "-device",
    `pcie-root-port,id=port${index},chassis=${index + 1},slot=${index + 1}`,
  ]);
  return [
    ["-name", "holdfast-files", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ["-machine", `q35,accel=${accelerator}`, "-cpu", "max", "-smp", "1", "-m", String(memoryMiB)],
    ["-kernel", image.kernel, "-initrd", image.initrd],
    ["-append", `${quickBoot} random.trust_cpu=on`],
    ["-device", "virtio-serial-pci", "-device", "virtserialport,chardev=files,name=org.holdfast.files"],
    ["-device", "virtio-rng-pci"],
    ["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ...rootPorts,
  ].flat();
}

/** Disks in the order in which a guest must be given them: the first function of a port tells it of the others. */
export function diskDevices(names: readonly string[]): Readonly<Record<string, string | boolean>>[] {
  if (names.length > disksOfPort * ports)
    throw fileRecoveryErrors.FileRecoveryUnavailable(
      `The recovery point has ${names.length} disks; the helper guest takes ${disksOfPort * ports}.`,
    );
  const devices = names.map((name, index) => ({
    driver: "virtio-blk-pci",
    id: `device-${name}`,
    drive: name,
    serial: name,
    bus: `port${Math.floor(index / disksOfPort)}`,
    addr: `0.${(index % disksOfPort).toString(16)}`,
    multifunction: true,
  }));
  return Array.from({ length: Math.ceil(devices.length / disksOfPort) }, (_, port) =>
    devices.slice(port * disksOfPort, (port + 1) * disksOfPort).reverse(),
  ).flat();
}

const escaped = (path: string): string => path.replaceAll(",", ",,");

async function connected(
  listener: Listener,
  over: Promise<number>,
  says: () => string,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  let stop = (): void => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([
      listener.connection,
      stopped,
      over.then(() => {
        throw fileRecoveryErrors.FileRecoveryUnavailable(
          `The helper guest did not start: ${says().trim() || "QEMU said nothing"}.`,
        );
      }),
    ]);
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGKILL");
  await gone;
}
