// Starts the QEMU of a defined machine. It goes on when we end; its monitor is how we know it.

import { disk } from "../../lib/files.ts";
import { run } from "../../lib/processes.ts";
import { connectNbd } from "../../nbd/client.ts";
import { hostErrors } from "../errors.ts";
import { prepareFirmware, type ChosenFirmware } from "../firmware/choose-firmware.ts";
import type { DefinedDisk, MachineDefinition } from "../host.ts";
import { checkImage } from "../images/formats.ts";
import { workingAccelerator, type Accelerator } from "./accelerator.ts";

export interface LaunchPaths {
  readonly monitor: string;
  readonly agent: string;
}

const startMilliseconds = 60_000;
/** A restart of our NBD server must not become an error in the guest. */
const reconnectSeconds = 60;
/** For disks that come while it runs: QEMU adds no port later. */
const sparePorts = 8;
/** Ports share slots, eight to each, above those that QEMU gives to the other devices. */
const firstPortSlot = 16;
const portsInSlot = 8;

export async function launch(
  definition: MachineDefinition,
  paths: LaunchPaths,
  accelerator: Accelerator | undefined,
  signal?: AbortSignal,
): Promise<void> {
  for (const { source } of definition.disks) {
    if (source.kind === "image") await checkImage(source.path, source.format);
    else await ensureOverlay(source, signal);
  }
  const firmware = definition.firmware && (await prepareFirmware(definition.firmware, signal));
  for (const path of [paths.monitor, paths.agent]) await disk.remove(path);
  const chosen = accelerator ?? (await workingAccelerator());
  await run("qemu-system-x86_64", qemuArguments(definition, paths, chosen, firmware), {
    timeoutMilliseconds: startMilliseconds,
    signal,
  });
}

export async function ensureOverlay(
  source: DefinedDisk["source"] & { kind: "point" },
  signal: AbortSignal | undefined,
): Promise<void> {
  if ((await disk.status(source.overlayPath)) !== undefined) return;
  await using client = await connectNbd({ ...source.address, exportName: source.exportName }, signal);
  // The overlay names no backing file: where the point is to be read is told at each start.
  await run("qemu-img", ["create", "-q", "-f", "qcow2", `file:${source.overlayPath}`, String(client.size)], { signal });
}

function qemuArguments(
  definition: MachineDefinition,
  paths: LaunchPaths,
  accelerator: Accelerator,
  firmware: ChosenFirmware | undefined,
): string[] {
  const { name, id, memoryBytes, processors, network, disks, kernel } = definition;
  const flash = flashOf(definition, firmware);
  return [
    ["-name", name, "-uuid", id, "-daemonize", "-nodefaults", "-no-user-config", "-display", "none"],
    ["-machine", `q35,accel=${accelerator}${flash.machine}`, "-cpu", "max", "-smp", String(processors)],
    ["-m", `${Math.floor(memoryBytes / 1024 / 1024)}M`],
    ["-qmp", `unix:${escape(paths.monitor)},server=on,wait=off`, "-device", "virtio-serial-pci"],
    ["-chardev", `socket,path=${escape(paths.agent)},server=on,wait=off,id=agent`],
    ["-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0", "-device", "virtio-rng-pci"],
    // Guests want a console; what they say there is kept for `ringbuf-read`, and never grows.
    ["-vga", "std", "-chardev", "ringbuf,id=console,size=65536", "-serial", "chardev:console"],
    network === "user" ? ["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net"] : [],
    kernel === undefined ? [] : ["-kernel", kernel.path, "-append", kernel.commandLine],
    kernel?.initrdPath === undefined ? [] : ["-initrd", kernel.initrdPath],
    Array.from({ length: disks.length - 1 + sparePorts }, (_, index) => portArguments(index + 1)).flat(),
    flash.more,
    // A UEFI has its own order of booting among its variables.
    disks.flatMap((disk, index) => diskArguments(disk, index, flash.machine === "")),
  ].flat();
}

function flashOf(
  { firmware: own }: MachineDefinition,
  firmware: ChosenFirmware | undefined,
): { readonly machine: string; readonly more: readonly string[] } {
  if (own === undefined || firmware === undefined) return { machine: "", more: [] };
  const node = (name: string, driver: string, filename: string, isReadOnly: boolean): string[] => [
    "-blockdev",
    JSON.stringify({
      driver,
      "node-name": name,
      "read-only": isReadOnly,
      file: { driver: "file", filename, "read-only": isReadOnly },
    }),
  ];
  // Only the firmware itself, in the processor's management mode, changes what Secure Boot relies on.
  const secure = ["driver=cfi.pflash01,property=secure,value=on", "ICH9-LPC.disable_s3=1"];
  return {
    machine: `,pflash0=flash-code,pflash1=flash-variables${own.isSecureBoot ? ",smm=on" : ""}`,
    more: [
      ...node("flash-code", firmware.format, firmware.path, true),
      ...node("flash-variables", "raw", own.variablesPath, false),
      ...(own.isSecureBoot ? secure.flatMap((one) => ["-global", one]) : []),
    ],
  };
}

/** A device lets go of its bus while the machine runs where that bus is a port's. */
function portArguments(number: number): string[] {
  const slot = firstPortSlot + Math.floor((number - 1) / portsInSlot);
  const place = `multifunction=on,addr=0x${slot.toString(16)}.${(number - 1) % portsInSlot}`;
  return ["-device", `pcie-root-port,id=${portOf(number)},chassis=${number},${place}`];
}

const portOf = (number: number): string => `port-${number}`;

function diskArguments({ id, source }: DefinedDisk, index: number, bootsFirst: boolean): string[] {
  const node = `disk-${index}`;
  const blockdev = (options: Record<string, unknown>): string[] => [
    "-blockdev",
    JSON.stringify({ discard: "unmap", ...options }),
  ];
  const place = index === 0 ? (bootsFirst ? ",bootindex=1" : "") : `,bus=${portOf(index)}`;
  const device = ["-device", `virtio-blk-pci,drive=${node},id=dev-${id},serial=${id}${place}`];
  if (source.kind === "image") {
    const backing = source.format === "qcow2" ? { backing: null } : {};
    return [
      ...blockdev({
        driver: source.format,
        "node-name": node,
        ...backing,
        file: { driver: "file", filename: source.path },
      }),
      ...device,
    ];
  }
  const server =
    "socketPath" in source.address
      ? { type: "unix", path: source.address.socketPath }
      : { type: "inet", host: source.address.host, port: String(source.address.port) };
  return [
    ...blockdev({
      driver: "nbd",
      "node-name": `${node}-point`,
      "read-only": true,
      server,
      export: source.exportName,
      "reconnect-delay": reconnectSeconds,
    }),
    ...blockdev({
      driver: "qcow2",
      "node-name": node,
      backing: `${node}-point`,
      file: { driver: "file", filename: source.overlayPath },
    }),
    ...device,
  ];
}

/** In QEMU's option lists a comma stands doubled. */
function escape(path: string): string {
  if (path.includes("\n")) throw hostErrors.HostSettingsInvalid("A socket path must not hold line breaks.");
  return path.replaceAll(",", ",,");
}
