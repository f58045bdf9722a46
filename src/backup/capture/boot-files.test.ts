import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { keepBoot } from "./boot-files.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-boot-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, content: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const kernelContent = Buffer.alloc(4096);
kernelContent.write("HdrS", 0x202);
const kernel = file("vmlinuz-6.1", kernelContent);
const initrd = file("initrd.gz", Buffer.from("1f8b0800", "hex"));
const commandLine = "console=ttyS0";

async function kept(path: string, initrdPath?: string): Promise<{ names: string[]; why: string; boot: unknown }> {
  const attachments = new Map<string, Uint8Array>();
  const addAttachment = async (name: string, content: Uint8Array): Promise<void> => void attachments.set(name, content);
  const { boot, remarks } = await keepBoot(
    { path, commandLine, ...(initrdPath === undefined ? {} : { initrdPath }) },
    { addAttachment },
  );
  return { names: [...attachments.keys()], why: remarks.map(({ message }) => message).join(), boot };
}

test("a kernel and its initial disk are kept under the hashes of their content, links followed", async () => {
  const link = join(folder, "vmlinuz");
  symlinkSync(kernel, link);
  const { names, why, boot } = await kept(link, initrd);
  assert.equal(why, "");
  assert.ok(names.length === 2 && names.every((name) => /^boot-[0-9a-f]{64}$/.test(name)));
  assert.deepEqual(boot, { kernel: names[0], initrd: names[1], commandLine });
  assert.deepEqual((await kept(kernel)).boot, { kernel: names[0], commandLine });
});

test("what is no kernel is not read into a point, whatever the host says of it", async () => {
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  const large = file("large", kernelContent);
  truncateSync(large, 65 * 1024 ** 2);
  const refused: readonly (readonly [path: string, initrdPath: string | undefined, why: RegExp])[] = [
    [file("shadow", "root:$6$secret:19000:0:99999:7:::\n"), undefined, /shadow does not look like/],
    [kernel, file("id_rsa", "-----BEGIN OPENSSH PRIVATE KEY-----\n"), /id_rsa does not look like/],
    ["boot/vmlinuz", undefined, /does not say where it is/],
    [join(folder, "gone"), undefined, /cannot be read \(ENOENT\)/],
    [folder, undefined, /is no file|EISDIR/],
    [pipe, undefined, /is no file/],
    [large, undefined, /has 68157440 bytes, more than/],
  ];
  for (const [path, initrdPath, why] of refused) {
    const said = await kept(path, initrdPath);
    assert.match(said.why, why, path);
    assert.equal(said.boot, undefined, path);
  }
});
