// Real virsh on libvirt's own test driver, which keeps machines in its process and needs no daemon.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { describeDomains, listDomainIds, readDomain, toMachine } from "./domain.ts";
import { readCommandLine } from "./firmware.ts";
import { openVirsh } from "./virsh.ts";
import { escapeXml } from "./xml.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-virsh-"));
after(() => rmSync(folder, { recursive: true }));

const idOf = (index: number): string => `7a6dd2a5-7d5c-4d34-9f04-${String(index).padStart(12, "0")}`;
const domain = (index: number, name: string, more = ""): string =>
  `<domain type='test'><name>${escapeXml(name)}</name><uuid>${idOf(index)}</uuid><memory unit='MiB'>64</memory><vcpu>2</vcpu><os><type>hvm</type></os>${more}<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${escapeXml(`/images/${name.replaceAll("/", "_")}`)}'/><target dev='vda'/><serial>os</serial></disk></devices></domain>`;

function nodeWith(domains: readonly string[]): string {
  const path = join(folder, `${domains.length}-${performance.now()}.xml`);
  writeFileSync(path, `<node>${domains.join("")}</node>`);
  return `test://${path}`;
}

test("machines with hostile names are told apart and told truly", async () => {
  const names = [
    "holdfast-next",
    "; destroy --domain 1",
    "$(reboot)`id`",
    "a' b \" <c> & d",
    "--help",
    "-c",
    "ünïcödé 漢字",
    "x".repeat(200),
  ];
  const virsh = openVirsh(nodeWith(names.map((name, index) => domain(index, name))));
  const ids = await listDomainIds(virsh);
  assert.deepEqual(
    ids.toSorted(),
    names.map((_, index) => idOf(index)),
  );
  const machines = (await describeDomains(virsh, ids, (id) => assert.fail(id))).map(toMachine);
  assert.deepEqual(
    machines.map(({ id, name, powerState, processors }) => [id, name, powerState, processors]).toSorted(),
    names.map((name, index) => [idOf(index), name, "running", 2]),
  );
});

test("a machine whose description cannot be read hides no other", async () => {
  const deep = `<metadata>${"<m:a xmlns:m='urn:m'>".repeat(90)}${"</m:a>".repeat(90)}</metadata>`;
  const virsh = openVirsh(nodeWith([domain(1, "sound"), domain(2, "deep", deep), domain(3, "sound too")]));
  const unreadable: string[] = [];
  const states = await describeDomains(virsh, [idOf(1), idOf(2), idOf(9), idOf(3)], (id, error) => {
    unreadable.push(id, error.code);
  });
  assert.deepEqual(
    states.map((state) => state.domain.name),
    ["sound", "sound too"],
  );
  assert.deepEqual(unreadable, [idOf(2), "LibvirtMisbehaved"]);
});

test("disks that libvirt cannot copy are left out, and odd targets and sizes do no harm", () => {
  const devices = `
    <disk type='file' device='cdrom'><target dev='sda'/></disk>
    <disk type='block' device='lun'><target dev='sdb'/></disk>
    <disk type='file' device='disk'><target dev='vda; rm -rf /'/></disk>
    <disk type='file' device='disk'><source file='/b'/><target dev='vdb'/><readonly/></disk>
    <disk type='network' device='disk'><driver type='raw'/><source protocol='rbd' name='p/i'/><target dev='vdc'/><serial>c</serial></disk>
    <channel><target type='virtio' name='org.qemu.guest_agent.0'/></channel>`;
  const read = readDomain(
    `<domain><name>n</name><uuid>${idOf(1).toUpperCase()}</uuid><memory unit='furlongs'>1</memory><vcpu>many</vcpu><devices>${devices}</devices></domain>`,
  );
  assert.deepEqual(
    read.disks.map(({ id, target, path, isReadOnly }) => [id, target, path, isReadOnly]),
    [
      ["vdb", "vdb", "/b", true],
      ["c", "vdc", undefined, false],
    ],
  );
  assert.deepEqual([read.id, read.hasAgent, read.processors], [idOf(1), true, undefined]);
  assert.equal(read.directBoot, undefined);
});

test("the kernel that a host gives its machine is told, with its initial disk where it has one", () => {
  const bootOf = (os: string): unknown =>
    readDomain(`<domain><name>n</name><uuid>${idOf(1)}</uuid><os><type>hvm</type>${os}</os></domain>`).directBoot;
  const kernel = "<kernel>/boot/vmlinuz</kernel>";
  assert.deepEqual(bootOf(kernel), { path: "/boot/vmlinuz", commandLine: "" });
  assert.deepEqual(bootOf(`${kernel}<initrd>/boot/initrd</initrd><cmdline>a=&lt;b&gt; quiet</cmdline>`), {
    path: "/boot/vmlinuz",
    initrdPath: "/boot/initrd",
    commandLine: "a=<b> quiet",
  });
});

test("where a machine's UEFI variables lie is told in every way that libvirts write it", () => {
  const firmwareOf = (os: string, devices = ""): unknown =>
    readDomain(`<domain><name>n</name><uuid>${idOf(1)}</uuid>${os}<devices>${devices}</devices></domain>`).firmware;
  const loader = (more: string): string => `<loader readonly='yes' ${more}type='pflash'>/code.fd</loader>`;
  const raw = { path: "/n<&_VARS.fd", format: "raw" };
  assert.deepEqual(firmwareOf("<os><type>hvm</type><loader type='rom'>/bios</loader></os>"), { hasEmulatedTpm: false });
  const plain = `<os>${loader("")}<nvram template='/t'> /n&lt;&amp;_VARS.fd\n</nvram></os>`;
  assert.deepEqual(firmwareOf(plain), { hasEmulatedTpm: false, uefi: { isSecureBoot: false, file: raw } });
  const newer = `<os firmware='efi'>${loader("secure='yes' ")}<nvram type='file' format='qcow2'><source file='/q'/></nvram></os>`;
  const tpm = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>";
  assert.deepEqual(firmwareOf(newer, tpm), {
    hasEmulatedTpm: true,
    uefi: { isSecureBoot: true, file: { path: "/q", format: "qcow2" } },
  });
  const none = { hasEmulatedTpm: false, uefi: { isSecureBoot: false, file: undefined } };
  assert.deepEqual(firmwareOf("<os firmware='efi'/>", "<tpm><backend type='passthrough'/></tpm>"), none);
});

test("what libvirt has chosen for a machine that does not run is read from how it would start it", () => {
  const node = (name: string, path: string): string =>
    `-blockdev '${JSON.stringify({ driver: "file", filename: path, "node-name": name, discard: "unmap" }).replaceAll("'", String.raw`'\''`)}'`;
  const format = (driver: string): string =>
    `-blockdev '{"node-name":"libvirt-pflash1-format","read-only":false,"driver":"${driver}","file":"libvirt-pflash1-storage"}'`;
  const code = node("libvirt-pflash0-storage", "/code.fd");
  const odd = `/nvram/it's "odd"_VARS.fd`;
  assert.deepEqual(readCommandLine(`qemu ${code} ${node("libvirt-pflash1-storage", odd)} ${format("raw")} -m 1`), {
    isSecureBoot: false,
    file: { path: odd, format: "raw" },
  });
  const secure = "-global driver=cfi.pflash01,property=secure,value=on";
  assert.deepEqual(readCommandLine(`${secure} ${node("libvirt-pflash1-storage", "/q")} ${format("qcow2")}`), {
    isSecureBoot: true,
    file: { path: "/q", format: "qcow2" },
  });
  assert.deepEqual(readCommandLine(`qemu ${code}`), { isSecureBoot: false, file: undefined });
});
