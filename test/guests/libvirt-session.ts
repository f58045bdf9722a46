// A libvirt of our own: an ordinary user's, with all of its files in one folder. Where the tests run as
// root it runs as `nobody`, since root has no session.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chownSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../src/lib/processes.ts";
import { waitFor } from "../../src/lib/time.ts";
import { isListening } from "../../src/nbd/testing/tools.ts";
import { guestImage } from "./guest-image.ts";

export interface LibvirtSession extends AsyncDisposable {
  readonly uri: string;
  readonly folder: string;
  readonly scratchFolder: string;
  readonly daemon: ChildProcess;
  /** Makes the domain XML of a tiny guest whose disks are called like the templates and more. */
  domain(id: string, disks: readonly SessionDisk[]): Promise<string>;
  virsh(...args: string[]): Promise<string>;
  /** What the guest of a domain says on its serial line. */
  consoleOf(id: string): string;
  /** Gives a file or folder to the session's user. */
  give(path: string): void;
  killDaemon(): Promise<void>;
  startDaemon(): Promise<void>;
}

export interface SessionDisk {
  readonly serial: string;
  /** A copy of one of the guest's own, or an image of so many MiB. */
  readonly template?: "sys" | "a" | "b";
  readonly mebibytes?: number;
  readonly format?: "raw" | "qcow2" | "qcow2-v2";
}

const nobody = 65534;
const configuration = [
  'stdio_handler = "file"',
  'security_driver = "none"',
  "namespaces = []",
  "cgroup_controllers = []",
].join("\n");

export async function startLibvirtSession(): Promise<LibvirtSession> {
  // Short: libvirt puts sockets below it, and their paths have 107 characters at most.
  const folder = mkdtempSync(join(tmpdir(), "hf-"));
  const isRoot = process.getuid?.() === 0;
  const give = (path: string): void => {
    if (isRoot) chownSync(path, nobody, nobody);
  };
  const place = (name: string): string => {
    const path = join(folder, name);
    mkdirSync(path, { recursive: true });
    give(path);
    return path;
  };
  give(folder);
  const env = {
    ...process.env,
    HOME: folder,
    XDG_RUNTIME_DIR: place("run"),
    XDG_CONFIG_HOME: place("c"),
    XDG_DATA_HOME: place("data"),
    XDG_CACHE_HOME: place("cache"),
    XDG_STATE_HOME: place("state"),
  };
  writeFileSync(join(place("c/libvirt"), "qemu.conf"), `${configuration}\n`);
  const socket = join(folder, "run/libvirt/libvirt-sock");
  const uri = `qemu+unix:///session?socket=${socket}`;
  const scratchFolder = place("scratch");
  const images = place("images");
  const consoleOf = (id: string): string => consolePath(images, id);
  let daemon: ChildProcess;
  const startDaemon = async (): Promise<void> => {
    rmSync(socket, { force: true });
    const log = openSync(join(folder, "libvirtd.log"), "a");
    daemon = spawn("/usr/sbin/libvirtd", ["--config", "/dev/null"], {
      env,
      stdio: ["ignore", log, log],
      ...(isRoot ? { uid: nobody, gid: nobody } : {}),
    });
    await waitFor("libvirt's socket", () => (isListening(socket) ? true : undefined), 120_000);
  };
  const killDaemon = async (): Promise<void> => {
    if (daemon.exitCode !== null || daemon.signalCode !== null) return;
    daemon.kill("SIGKILL");
    await once(daemon, "exit");
  };
  await startDaemon();
  const virsh = async (...args: string[]): Promise<string> =>
    (await run("virsh", ["-q", "-c", uri, ...args], { timeoutMilliseconds: 120_000 })).stdout.trim();

  return {
    uri,
    folder,
    scratchFolder,
    get daemon() {
      return daemon;
    },
    virsh,
    consoleOf,
    give,
    killDaemon,
    startDaemon,
    domain: (id, disks) => tinyDomain(images, give, id, disks),
    [Symbol.asyncDispose]: async () => {
      if (daemon.exitCode !== null || daemon.signalCode !== null) await startDaemon();
      for (const id of (await virsh("list", "--uuid")).split("\n").filter(Boolean)) await virsh("destroy", id);
      await killDaemon();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const consolePath = (images: string, id: string): string => join(images, `${id}.console`);

/** The domain XML of a tiny guest with its disks and its kernel in a folder; `give` makes them readable by its QEMU. */
export async function tinyDomain(
  images: string,
  give: (path: string) => void,
  id: string,
  disks: readonly SessionDisk[],
): Promise<string> {
  const guest = await guestImage();
  for (const path of [guest.kernelPath, guest.initrdPath]) {
    const copy = join(images, path.endsWith("vmlinuz") ? "vmlinuz" : "initrd");
    if (!existsSync(copy)) copyFileSync(path, copy);
    give(copy);
  }
  const parts: string[] = [];
  for (const [index, { serial, template, mebibytes = 8, format = "qcow2" }] of disks.entries()) {
    const path = join(images, `${id}-${serial}`);
    const compat = format === "qcow2-v2" ? ["-o", "compat=0.10"] : [];
    if (template !== undefined) copyFileSync(guest.disks[template], path);
    else
      await run("qemu-img", [
        "create",
        "-q",
        "-f",
        format.slice(0, 5).replace("raw", "raw"),
        ...compat,
        path,
        `${mebibytes}M`,
      ]);
    give(path);
    const letter = index < 26 ? String.fromCharCode(97 + index) : `a${String.fromCharCode(97 + index - 26)}`;
    parts.push(
      `<disk type='file' device='disk'><driver name='qemu' type='${format === "raw" ? "raw" : "qcow2"}'/><source file='${path}'/><target dev='vd${letter}' bus='virtio'/><serial>${serial}</serial></disk>`,
    );
  }
  const ports = Array.from(
    { length: disks.length + 4 },
    (_, index) => `<controller type='pci' index='${index + 1}' model='pcie-root-port'/>`,
  ).join("");
  return `<domain type='qemu'><name>g ${id.slice(-4)} &amp;&apos;</name><uuid>${id}</uuid><memory unit='MiB'>192</memory><vcpu>1</vcpu>
<os><type machine='q35'>hvm</type><kernel>${images}/vmlinuz</kernel><initrd>${images}/initrd</initrd><cmdline>${guest.commandLine}</cmdline></os>
<cpu mode='maximum'/><features><acpi/></features><devices>${parts.join("")}
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel><serial type='file'><source path='${consolePath(images, id)}'/></serial><controller type='pci' index='0' model='pcie-root'/>${ports}<memballoon model='none'/></devices></domain>`;
}
