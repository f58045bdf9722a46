// Disks that are really encrypted, as QEMU makes and opens them.

import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const secretOf = (passphrase: string): string[] => ["--object", `secret,id=k,data=${passphrase}`];

/** QEMU measures for a while how often it can hash; meanwhile this process goes on. */
export async function writeLuks(plain: string, image: string, passphrase: string): Promise<void> {
  const options = ["-f", "raw", "-O", "luks", "-o", "key-secret=k,iter-time=1"];
  await promisify(execFile)("qemu-img", ["convert", "-q", ...secretOf(passphrase), ...options, plain, image]);
}

/** What is in it; throws for a wrong passphrase. */
export function readLuks(image: string, passphrase: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-luks-opened-"));
  try {
    const opened = join(folder, "opened.raw");
    const source = `driver=luks,key-secret=k,file.driver=file,file.filename=${image}`;
    const options = [...secretOf(passphrase), "--image-opts", source, "-O", "raw", opened];
    execFileSync("qemu-img", ["convert", "-U", ...options], { stdio: "pipe" });
    return readFileSync(opened);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
