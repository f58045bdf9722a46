// A libvirt domain as libvirt describes it.

import { HoldfastError } from "../../lib/errors.ts";
import { hostErrors } from "../errors.ts";
import type { DirectBoot, Machine, MachineDisk, PowerState } from "../host.ts";
import { readDomainFirmware, type DomainFirmware } from "./firmware.ts";
import type { Virsh } from "./virsh.ts";
import { elementAt, elementsAt, parseXml, type XmlElement } from "./xml.ts";

export interface Domain {
  readonly id: string;
  readonly name: string;
  readonly memoryBytes: number | undefined;
  readonly processors: number | undefined;
  readonly hasAgent: boolean;
  readonly directBoot: DirectBoot | undefined;
  readonly firmware: DomainFirmware;
  readonly disks: readonly DomainDisk[];
}

export interface DomainDisk {
  /** The serial, else the target. */
  readonly id: string;
  /** `vda`: what libvirt calls it; may be given to another disk while the machine is off. */
  readonly target: string;
  readonly format: string;
  /** Of disks that lie in a file or on a device. */
  readonly path: string | undefined;
  readonly isReadOnly: boolean;
}

export interface DomainState {
  readonly domain: Domain;
  readonly powerState: PowerState;
  /** By target. */
  readonly sizes: ReadonlyMap<string, number>;
}

const units: Readonly<Record<string, number>> = {
  b: 1,
  bytes: 1,
  KB: 1000,
  k: 1024,
  KiB: 1024,
  MB: 1e6,
  M: 1024 ** 2,
  MiB: 1024 ** 2,
  GB: 1e9,
  G: 1024 ** 3,
  GiB: 1024 ** 3,
  TB: 1e12,
  T: 1024 ** 4,
  TiB: 1024 ** 4,
};
const agentPort = "org.qemu.guest_agent.0";
const uuidShape = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const domainsAtOnce = 100;
const stoppedStates = new Set(["shut off", "crashed", "no state"]);

export async function listDomainIds(virsh: Virsh, signal?: AbortSignal): Promise<string[]> {
  const lines = (await virsh.call(["list", "--all", "--uuid"], { signal })).split("\n").map((line) => line.trim());
  return lines.filter((line) => uuidShape.test(line));
}

/**
 * Those that vanish meanwhile are left out, and so are those whose description cannot be read once
 * `unreadable` has heard of them: one machine's owner must not hide the others.
 */
export async function describeDomains(
  virsh: Virsh,
  ids: readonly string[],
  unreadable: (id: string, error: HoldfastError) => void,
  signal?: AbortSignal,
): Promise<DomainState[]> {
  const states: DomainState[] = [];
  for (let at = 0; at < ids.length; at += domainsAtOnce) {
    const some = ids.slice(at, at + domainsAtOnce);
    const commands = some.flatMap((id) => [
      ["dumpxml", id],
      ["domstate", id],
      ["domblkinfo", id, "--all"],
    ]);
    const answers = await virsh.batch(commands, { signal });
    for (const [index, id] of some.entries()) {
      const [xml = "", state = "", sizes = ""] = answers.slice(index * 3, index * 3 + 3);
      if (xml.trim() === "") continue;
      try {
        states.push({ domain: readDomain(xml), powerState: readState(state.trim()), sizes: readSizes(sizes) });
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        unreadable(id, error);
      }
    }
  }
  return states;
}

export function readDomain(xml: string): Domain {
  const root = parseXml(xml.trim());
  const textAt = (path: string): string | undefined => elementAt(root, path)?.text.trim();
  const id = textAt("uuid")?.toLowerCase();
  const name = textAt("name");
  if (root.name !== "domain" || id === undefined || !uuidShape.test(id) || name === undefined)
    throw hostErrors.LibvirtMisbehaved("A description of a machine names no UUID.");
  return {
    id,
    name: name.slice(0, 256),
    memoryBytes: readBytes(elementAt(root, "memory")),
    processors: wholeNumber(textAt("vcpu")),
    hasAgent: elementsAt(root, "devices/channel/target").some(({ attributes }) => attributes["name"] === agentPort),
    directBoot: readDirectBoot(root),
    firmware: readDomainFirmware(root),
    disks: elementsAt(root, "devices/disk").flatMap(readDisk),
  };
}

function readDirectBoot(root: XmlElement): DirectBoot | undefined {
  const textAt = (path: string): string => elementAt(root, path)?.text.trim() ?? "";
  const path = textAt("os/kernel");
  if (path === "") return undefined;
  const initrdPath = textAt("os/initrd");
  return { path, ...(initrdPath === "" ? {} : { initrdPath }), commandLine: textAt("os/cmdline") };
}

export function toMachine({ domain, powerState, sizes }: DomainState): Machine {
  const { id, name, hasAgent, memoryBytes, processors } = domain;
  const problem = sizes.size < domain.disks.length ? "libvirt does not tell the size of every disk." : undefined;
  return { id, name, powerState, hasAgent, disks: toDisks(domain, sizes), memoryBytes, processors, problem };
}

export function toDisks({ disks }: Domain, sizes: ReadonlyMap<string, number>): MachineDisk[] {
  return disks.map(({ id, target, format, path, isReadOnly }, index) => ({
    id,
    name: target,
    sizeBytes: sizes.get(target) ?? 0,
    format,
    path,
    isReadOnly,
    lun: index - 1,
  }));
}

/** Floppies, CD drives and disks passed through as they are have no blocks that libvirt can copy. */
function readDisk(disk: XmlElement): DomainDisk[] {
  const target = elementAt(disk, "target")?.attributes["dev"];
  const kind = disk.attributes["device"] ?? "disk";
  if (target === undefined || !/^[a-z]{1,8}$/.test(target) || kind !== "disk") return [];
  const source = elementAt(disk, "source")?.attributes ?? {};
  const serial = elementAt(disk, "serial")?.text.trim() ?? "";
  return [
    {
      id: serial === "" ? target : serial.slice(0, 256),
      target,
      format: elementAt(disk, "driver")?.attributes["type"] ?? "raw",
      path: source["file"] ?? source["dev"],
      isReadOnly: elementAt(disk, "readonly") !== undefined,
    },
  ];
}

function readState(state: string): PowerState {
  if (state === "running" || state === "idle" || state === "in shutdown") return "running";
  return stoppedStates.has(state) ? "stopped" : "paused";
}

/** ` vda   67108864   14442496   15138816` */
function readSizes(table: string): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const [, target = "", capacity = ""] of table.matchAll(/^\s*([a-z]{1,8})\s+(\d{1,16})\s/gm))
    sizes.set(target, Number(capacity));
  return sizes;
}

function readBytes(element: XmlElement | undefined): number | undefined {
  const count = wholeNumber(element?.text.trim());
  return count === undefined ? undefined : count * (units[element?.attributes["unit"] ?? "KiB"] ?? 1024);
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
