// The bitmaps that a qcow2 image holds while no machine runs it.

import { z } from "zod";
import { run } from "../../lib/processes.ts";
import { hostErrors } from "../errors.ts";
import type { ImageFormat } from "./formats.ts";

export interface StoredBitmap {
  readonly name: string;
  /** Left open by a QEMU that died: it may have missed writes. */
  readonly isInconsistent: boolean;
  readonly isRecording: boolean;
}

export interface ImageFacts {
  readonly sizeBytes: number;
  /** Only qcow2 of version 3 can hold bitmaps. */
  readonly keepsBitmaps: boolean;
  readonly bitmaps: readonly StoredBitmap[];
}

const infoSchema = z.object({
  "virtual-size": z.number().int().nonnegative(),
  "format-specific": z
    .object({
      data: z.object({
        compat: z.string().optional(),
        bitmaps: z.array(z.object({ name: z.string(), flags: z.array(z.string()) })).optional(),
      }),
    })
    .optional(),
});
/** Whoever looks at several images has so many tools at work. */
export const imagesAtOnce = 4;
const toolMilliseconds = 60_000;
const mostOutput = 4 * 1024 * 1024;

/**
 * `path` must have passed `checkImage`. With `isFree` an image that somebody may write to is refused.
 */
export async function readImageFacts(
  path: string,
  format: ImageFormat,
  isFree: boolean,
  signal?: AbortSignal,
): Promise<ImageFacts> {
  // A format's own driver refuses an image that somebody writes to; raw has none, so ask for the lock.
  if (isFree && format === "raw")
    await runImageTool("qemu-io", path, ["-f", "raw", "-c", "length", imageName(path)], signal);
  const stdout = await runImageTool(
    "qemu-img",
    path,
    ["info", "--output=json", ...(isFree ? [] : ["-U"]), "-f", format, imageName(path)],
    signal,
  );
  const parsed = infoSchema.safeParse(JSON.parse(stdout));
  if (!parsed.success)
    throw hostErrors.ImageRefused(`qemu-img's facts of ${path} have the wrong shape.`, { cause: parsed.error });
  const specific = format === "qcow2" ? parsed.data["format-specific"]?.data : undefined;
  return {
    sizeBytes: parsed.data["virtual-size"],
    keepsBitmaps: specific?.compat !== undefined && specific.compat !== "0.10",
    bitmaps: (specific?.bitmaps ?? []).map(({ name, flags }) => ({
      name,
      isInconsistent: flags.includes("in-use"),
      isRecording: flags.includes("auto"),
    })),
  };
}

export async function changeBitmap(
  path: string,
  change: "--add" | "--remove",
  name: string,
  signal?: AbortSignal,
): Promise<void> {
  const granularity = change === "--add" ? ["-g", "65536"] : [];
  await runImageTool(
    "qemu-img",
    path,
    ["bitmap", "-f", "qcow2", change, ...granularity, imageName(path), name],
    signal,
  );
}

async function runImageTool(
  program: "qemu-img" | "qemu-io",
  path: string,
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string> {
  try {
    return (await run(program, args, { timeoutMilliseconds: toolMilliseconds, maxOutputBytes: mostOutput, signal }))
      .stdout;
  } catch (cause) {
    signal?.throwIfAborted();
    if (!(cause instanceof Error) || !/Failed to get .*lock/.test(cause.message)) throw cause;
    throw hostErrors.ImageInUse(`The image ${path} is in use.`, { cause });
  }
}

/** qemu-img takes what stands before a colon for a protocol, and what begins with a dash for an option. */
function imageName(path: string): string {
  return `file:${path}`;
}
