// Disk images with file systems of every kind that file recovery opens, made without root. What needs
// a kernel (logical volumes) is made inside the helper guest, with another first process.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { HelperImage } from "../../src/backup/file-recovery/helper-image.ts";
import { fetchPackages, unpackPackages } from "../../src/tiny-guest/debian-packages.ts";
import { makeArchive } from "../../src/tiny-guest/initrd.ts";

export const cache = join(import.meta.dirname, "../../.cache");
const MiB = 1024 * 1024;

export function emptyDisk(path: string, mebibytes: number): string {
  writeFileSync(path, "");
  truncateSync(path, mebibytes * MiB);
  return path;
}

export function ext4Disk(path: string, mebibytes: number, content: string): string {
  emptyDisk(path, mebibytes);
  execFileSync("mke2fs", ["-q", "-F", "-t", "ext4", "-d", content, "-E", "root_owner=0:0", path]);
  return path;
}

/** A partition table with one partition that holds `content`, from 1 MiB on. */
export function partitioned(path: string, content: string): string {
  const inner = readFileSync(content);
  writeFileSync(path, Buffer.concat([Buffer.alloc(MiB), inner, Buffer.alloc(MiB)]));
  const start = "1MiB";
  const end = `${1 + inner.length / MiB}MiB`;
  execFileSync("parted", ["-s", path, "mklabel", "gpt", "mkpart", "data", "ext4", start, end]);
  return path;
}

/** XFS whose files are described as mkfs.xfs wants: NAME MODE OWNER GROUP SOURCE. */
export async function xfsDisk(path: string, content: string): Promise<string> {
  const tree = join(cache, "xfsprogs");
  const names = ["xfsprogs", "libinih1", "liburcu8", "libblkid1", "libuuid1", "libedit2", "libicu72"];
  const packages = await fetchPackages(join(cache, "helper", "debs"), names);
  await unpackPackages(packages, tree);
  const prototype = ["/stand", "0 0", "d--755 0 0", ...protoLines(content), "$", ""].join("\n");
  const protoFile = `${path}.proto`;
  writeFileSync(protoFile, prototype);
  emptyDisk(path, 320);
  const library = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"].map((folder) => join(tree, folder)).join(":");
  const mkfs = [join(tree, "sbin/mkfs.xfs"), join(tree, "usr/sbin/mkfs.xfs")].find((each) => {
    try {
      return readFileSync(each).length > 0;
    } catch {
      return false;
    }
  });
  execFileSync(mkfs ?? "mkfs.xfs", ["-q", "-f", "-p", protoFile, path], {
    env: { ...process.env, LD_LIBRARY_PATH: library },
  });
  return path;
}

function protoLines(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? [`${entry.name} d--755 0 0`, ...protoLines(join(folder, entry.name)), "$"]
      : entry.isFile()
        ? [`${entry.name} ---644 0 0 ${join(folder, entry.name)}`]
        : [],
  );
}

/** A volume group over the whole disk, with one logical volume that holds `content`. */
export function lvmDisk(path: string, content: string, image: HelperImage, work: string): string {
  mkdirSync(work, { recursive: true });
  emptyDisk(path, 48);
  const initrd = join(work, "lvm.initrd");
  const settings =
    "devices{use_devicesfile=0} activation{udev_sync=0 udev_rules=0 verify_udev_operations=0 monitoring=0} backup{backup=0 archive=0} global{event_activation=0}";
  const script = [
    "#!/bin/sh",
    "export PATH=/sbin:/bin",
    "mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs run /run",
    "mkdir -p /run/lvm /run/lock/lvm /dev/mapper; modprobe -a virtio_pci virtio_blk dm-mod; sleep 0.2",
    `S='${settings}'`,
    'lvm pvcreate -qq -y --config "$S" /dev/vda && lvm vgcreate -qq --config "$S" vg0 /dev/vda &&',
    'lvm lvcreate -qq -y -Zn -Wn -L 32M -n data --config "$S" vg0 && dd if=/dev/vdb of=/dev/mapper/vg0-data bs=1M && sync && echo LVM-IS-READY',
    "poweroff -f",
  ].join("\n");
  const archive = makeArchive([{ path: "init", content: `${script}\n`, executable: true }]);
  writeFileSync(initrd, Buffer.concat([readFileSync(image.initrd), archive]));
  const drive = (file: string): string[] => ["-drive", `if=virtio,format=raw,file=${file}`];
  const said = execFileSync(
    "qemu-system-x86_64",
    [
      ["-nodefaults", "-display", "none", "-no-reboot", "-machine", "q35,accel=tcg", "-cpu", "max", "-m", "512"],
      ["-kernel", image.kernel, "-initrd", initrd, "-append", "console=ttyS0 quiet panic=-1 mitigations=off"],
      ["-serial", "stdio", ...drive(path), ...drive(content)],
    ].flat(),
    { encoding: "utf8", timeout: 120_000, stdio: ["ignore", "pipe", "pipe"] },
  );
  if (!said.includes("LVM-IS-READY")) throw new Error(`the volume group was not made:\n${said.slice(-2000)}`);
  return path;
}
