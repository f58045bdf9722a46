// The firmware of a machine of libvirt. libvirt shows no machine's flash, only the file in which it lies:
// that is read as it is where we may, else through libvirt's storage, which may what its daemon may.

import { dirname, join } from "node:path";
import { tmpdir } from "node:os";
import { HoldfastError, systemCode } from "../../lib/errors.ts";
import { disk } from "../../lib/files.ts";
import { newGuid } from "../../lib/random.ts";
import { readVariables, type VariablesFile } from "../firmware/read-variables.ts";
import { mostVariableBytes, NotVariables, uefiWith, type MachineFirmware } from "../firmware/variables.ts";
import { isRefusal } from "./checkpoints.ts";
import { escapeXml, elementAt, elementsAt, type XmlElement } from "./xml.ts";
import type { Virsh } from "./virsh.ts";

export interface DomainFirmware {
  /** Absent where the machine has a BIOS. */
  readonly uefi?: { readonly isSecureBoot: boolean; readonly file: VariablesFile | undefined };
  readonly hasEmulatedTpm: boolean;
}

export function readDomainFirmware(root: XmlElement): DomainFirmware {
  const hasEmulatedTpm = elementsAt(root, "devices/tpm/backend").some(
    ({ attributes }) => attributes["type"] === "emulator",
  );
  const loader = elementAt(root, "os/loader")?.attributes ?? {};
  const isUefi = elementAt(root, "os")?.attributes["firmware"] === "efi" || loader["type"] === "pflash";
  if (!isUefi) return { hasEmulatedTpm };
  return { hasEmulatedTpm, uefi: { isSecureBoot: loader["secure"] === "yes", file: readNvram(root) } };
}

function readNvram(root: XmlElement): VariablesFile | undefined {
  const nvram = elementAt(root, "os/nvram");
  const path = elementAt(root, "os/nvram/source")?.attributes["file"] ?? nvram?.text.trim() ?? "";
  return path === "" ? undefined : { path, format: nvram?.attributes["format"] === "qcow2" ? "qcow2" : "raw" };
}

export async function readLibvirtFirmware(
  virsh: Virsh,
  domainId: string,
  { uefi, hasEmulatedTpm }: DomainFirmware,
  signal?: AbortSignal,
): Promise<MachineFirmware> {
  if (uefi === undefined) return { hasEmulatedTpm };
  const { file, isSecureBoot } = uefi.file === undefined ? await readStart(virsh, domainId, signal) : uefi;
  const read = async (): Promise<Buffer> => {
    if (file === undefined) throw new NotVariables("libvirt names no file with the machine's UEFI variables");
    try {
      return await readVariables(file, signal);
    } catch (error) {
      if (!mayNot.has(systemCode(error) ?? "")) throw error;
      return await throughStorage(virsh, file, error, signal);
    }
  };
  return { hasEmulatedTpm, uefi: await uefiWith(isSecureBoot, read, file?.path ?? "") };
}

/** `<os firmware='efi'>` alone leaves it to libvirt, which says what it chose only of machines that run. */
async function readStart(
  virsh: Virsh,
  domainId: string,
  signal: AbortSignal | undefined,
): Promise<NonNullable<DomainFirmware["uefi"]>> {
  try {
    return readCommandLine(await virsh.call(["domxml-to-native", "qemu-argv", "--domain", domainId], { signal }));
  } catch (error) {
    if (!isRefusal(error, /./)) throw error;
    return { isSecureBoot: false, file: undefined };
  }
}

/** How libvirt would start the machine, in the words of a shell. */
export function readCommandLine(line: string): NonNullable<DomainFirmware["uefi"]> {
  const words = line.replaceAll(String.raw`'\''`, "'");
  const path = /\{"driver":"file","filename":("(?:[^"\\]|\\.)*"),"node-name":"libvirt-pflash1-storage"/.exec(
    words,
  )?.[1];
  const format = /"node-name":"libvirt-pflash1-format"[^{}]*"driver":"(raw|qcow2)"/.exec(words)?.[1];
  return {
    isSecureBoot: /driver=cfi\.pflash01,property=secure,value=on/.test(words),
    file:
      path === undefined ? undefined : { path: String(JSON.parse(path)), format: format === "qcow2" ? "qcow2" : "raw" },
  };
}

const mayNot = new Set(["EACCES", "EPERM"]);
const downloadMilliseconds = 60_000;

/** A pool over the file's folder that is forgotten afterwards, unless libvirt has the folder in one already. */
export async function throughStorage(
  virsh: Virsh,
  { path, format }: VariablesFile,
  refusal: unknown,
  signal?: AbortSignal,
): Promise<Buffer> {
  const id = newGuid();
  const copy = join(tmpdir(), `holdfast-${id}.nvram`);
  const pool = `holdfast-${id}`;
  const description = `<pool type='dir'><name>${pool}</name><target><path>${escapeXml(dirname(path))}</path></target></pool>`;
  let isOurs = false;
  try {
    // Made by us before: what libvirt's client makes itself may be read by everybody.
    await (await disk.open(copy, "createNew", 0o600)).close();
    isOurs = await virsh.call(["pool-create"], { documents: { "--file": description }, signal }).then(
      () => true,
      () => false,
    );
    await virsh.call(["vol-download", "--vol", path, "--file", copy, "--length", String(mostVariableBytes + 1)], {
      timeoutMilliseconds: downloadMilliseconds,
      signal,
    });
    return await readVariables({ path: copy, format }, signal);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof HoldfastError)
      throw new NotVariables(
        `${path} cannot be read (${systemCode(refusal)}), nor through libvirt's storage: ${error.message}`,
      );
    throw error;
  } finally {
    if (isOurs) await virsh.call(["pool-destroy", pool]).catch(() => {}); // transient: gone with the daemon at the latest
    await disk.remove(copy);
  }
}
