// UEFI variables out of a file, which its machine may have open.

import { tmpdir } from "node:os";
import { join } from "node:path";
import { disk, type OpenFile } from "../../lib/files.ts";
import { run } from "../../lib/processes.ts";
import { newGuid } from "../../lib/random.ts";
import { readImageFacts } from "../images/bitmaps.ts";
import { checkImage } from "../images/formats.ts";
import { checkVariables, checkVariableSize, NotVariables } from "./variables.ts";

export interface VariablesFile {
  readonly path: string;
  readonly format: "raw" | "qcow2";
}

const convertMilliseconds = 60_000;

export async function readVariables({ path, format }: VariablesFile, signal?: AbortSignal): Promise<Buffer> {
  if (!path.startsWith("/")) throw new NotVariables(`the path ${path} does not say where it is`);
  const content = await readBounded(path);
  return checkVariables(format === "raw" ? content : await unpack(content, path, signal), path);
}

/** Links are followed before; it never waits for the other end of a pipe. */
async function readBounded(path: string): Promise<Buffer> {
  await using file = await disk.open(await disk.realPath(path), "readNoFollow");
  const { isFile, size } = await file.status();
  if (!isFile) throw new NotVariables(`${path} is no file`);
  checkVariableSize(size, path);
  return readAll(file, size);
}

async function readAll(file: OpenFile, size: number): Promise<Buffer> {
  const content = Buffer.alloc(size);
  return content.subarray(0, await file.read(content, 0));
}

/** In a copy of our own: nobody changes it between the check and the reading. */
async function unpack(content: Buffer, path: string, signal: AbortSignal | undefined): Promise<Buffer> {
  const base = join(tmpdir(), `holdfast-${newGuid()}`);
  const [packed, raw] = [`${base}.qcow2`, `${base}.raw`];
  try {
    await disk.writeDurably(packed, content);
    await checkImage(packed, "qcow2");
    checkVariableSize((await readImageFacts(packed, "qcow2", false, signal)).sizeBytes, path);
    const from = JSON.stringify({ driver: "qcow2", backing: null, file: { driver: "file", filename: packed } });
    await run("qemu-img", ["convert", "-O", "raw", `json:${from}`, raw], {
      timeoutMilliseconds: convertMilliseconds,
      signal,
    });
    return await disk.read(raw);
  } finally {
    await disk.remove(packed);
    await disk.remove(raw);
  }
}
