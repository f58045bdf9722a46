// The `sh` blocks of the manual run as they stand, in a sandbox instead of /vaults and /images.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { projectRoot } from "../project.ts";
import { readBitmapFile } from "./bitmap-file.ts";

test("the commands and the bitmap files of docs/store-tool.md work", async () => {
  const folder = await mkdtemp(join(tmpdir(), "store-manual-"));
  try {
    const images = join(folder, "images");
    await mkdir(images);
    const disk = randomBytes(2_500_000);
    await writeFile(join(images, "web-1.raw"), disk);
    const text = await readFile(join(projectRoot, "docs/store-tool.md"), "utf8");
    const fences = [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)];
    const blocks = (language: string): string[] =>
      fences.flatMap(([, name, block = ""]) => (name === language ? [block] : []));
    const script = blocks("sh").join("\n").replaceAll("/vaults/", `${folder}/`).replaceAll("/images/", `${images}/`);
    const env = { ...process.env, XDG_CONFIG_HOME: folder };
    const { stdout } = await promisify(execFile)("bash", ["-euc", script], { cwd: projectRoot, env });
    assert.match(stdout, /all of them can be restored/);
    assert.ok((await readFile(join(images, "web-1-restored.raw"))).equals(disk));

    const bitmaps = [...blocks("json"), ...blocks("")];
    assert.equal(bitmaps.length, 2);
    for (const bitmap of bitmaps) {
      const file = join(folder, "bitmap");
      await writeFile(file, bitmap);
      assert.equal((await readBitmapFile(file, 2 ** 31))[0]?.offset, 65536);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
