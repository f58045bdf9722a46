// A machine that Holdfast defines, in libvirt's words.

import type { ChosenFirmware } from "../firmware/choose-firmware.ts";
import type { DefinedDisk, DiskSource, MachineDefinition } from "../host.ts";
import { escapeXml } from "./xml.ts";

const reconnectSeconds = 60;
/** The agent's channel, the network, the random numbers, the USB controller that libvirt adds. */
const portsOfOthers = 4;
/** For disks that come while it runs: libvirt adds no port later. */
const sparePorts = 8;
const letters = "abcdefghijklmnopqrstuvwxyz";

export function domainXml(
  definition: MachineDefinition,
  virtualization: "kvm" | "qemu",
  firmware?: ChosenFirmware,
): string {
  const { name, id, memoryBytes, processors, network, disks, kernel } = definition;
  const isSecure = definition.firmware?.isSecureBoot === true;
  const boot =
    kernel === undefined
      ? "<boot dev='hd'/>"
      : [
          `<kernel>${escapeXml(kernel.path)}</kernel>`,
          kernel.initrdPath === undefined ? "" : `<initrd>${escapeXml(kernel.initrdPath)}</initrd>`,
          `<cmdline>${escapeXml(kernel.commandLine)}</cmdline>`,
        ].join("");
  return [
    `<domain type='${virtualization}'><name>${escapeXml(name)}</name><uuid>${escapeXml(id)}</uuid>`,
    `<memory unit='b'>${memoryBytes}</memory><vcpu>${processors}</vcpu>`,
    `<os><type machine='q35'>hvm</type>${firmwareXml(definition, firmware)}${boot}</os>`,
    `<features><acpi/>${isSecure ? "<smm state='on'/>" : ""}</features><cpu mode='maximum'/>`,
    "<devices>",
    ...disks.map(diskXml),
    "<controller type='pci' index='0' model='pcie-root'/>",
    ...Array.from(
      { length: disks.length + portsOfOthers + sparePorts },
      (_, index) => `<controller type='pci' index='${index + 1}' model='pcie-root-port'/>`,
    ),
    "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>",
    network === "user" ? "<interface type='user'><model type='virtio'/></interface>" : "",
    "<serial type='pty'/><rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
    "<memballoon model='none'/></devices></domain>",
  ].join("");
}

function firmwareXml({ firmware: own }: MachineDefinition, firmware: ChosenFirmware | undefined): string {
  if (own === undefined || firmware === undefined) return "";
  // Where it is raw, libvirts that know no other formats are told of none.
  const format = firmware.format === "raw" ? "" : ` format='${firmware.format}'`;
  const secure = own.isSecureBoot ? " secure='yes'" : "";
  return [
    `<loader readonly='yes'${secure} type='pflash'${format}>${escapeXml(firmware.path)}</loader>`,
    `<nvram${format === "" ? "" : " format='raw'"}>${escapeXml(own.variablesPath)}</nvram>`,
  ].join("");
}

export function diskXml({ id, source }: DefinedDisk, index: number): string {
  return `<disk type='file' device='disk'>${sourceXml(source)}<target dev='${targetName(index)}' bus='virtio'/><serial>${escapeXml(id)}</serial></disk>`;
}

/** vda … vdz, vdaa, … */
export function targetName(index: number): string {
  const first = index < 26 ? "" : letters.charAt(Math.floor(index / 26) - 1);
  return `vd${first}${letters.charAt(index % 26)}`;
}

function sourceXml(source: DiskSource): string {
  const driver = (format: string): string => `<driver name='qemu' type='${format}' discard='unmap'/>`;
  if (source.kind === "image") {
    const own = source.format === "qcow2" ? "<backingStore/>" : "";
    return `${driver(source.format)}<source file='${escapeXml(source.path)}'/>${own}`;
  }
  const host =
    "socketPath" in source.address
      ? `<host transport='unix' socket='${escapeXml(source.address.socketPath)}'/>`
      : `<host name='${escapeXml(source.address.host)}' port='${source.address.port}'/>`;
  const point = `<source protocol='nbd' name='${escapeXml(source.exportName)}'>${host}<reconnect delay='${reconnectSeconds}'/></source>`;
  return `${driver("qcow2")}<source file='${escapeXml(source.overlayPath)}'/><backingStore type='network'><format type='raw'/>${point}<backingStore/></backingStore>`;
}
