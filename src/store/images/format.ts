// The disk image formats, in our names and in QEMU's. A format is always said, never guessed: a guest
// can write any header it likes into a raw disk.

import { imageErrors } from "./errors.ts";

export const readableFormats = ["raw", "qcow2", "vhd", "vhdx", "vmdk"] as const;
export type ReadableFormat = (typeof readableFormats)[number];

export const writableFormats = ["raw", "qcow2", "vhd"] as const;
export type WritableFormat = (typeof writableFormats)[number];

export const qemuDriver: Readonly<Record<ReadableFormat, string>> = {
  raw: "raw",
  qcow2: "qcow2",
  vhd: "vpc",
  vhdx: "vhdx",
  vmdk: "vmdk",
};

export function parseReadableFormat(text: string): ReadableFormat {
  const format = readableFormats.find((known) => known === text);
  if (format !== undefined) return format;
  throw imageErrors.ImageFormatWrong(`${text} is no format that can be read: ${readableFormats.join(", ")}.`);
}

export function parseWritableFormat(text: string): WritableFormat {
  const format = writableFormats.find((known) => known === text);
  if (format !== undefined) return format;
  throw imageErrors.ImageFormatWrong(`${text} is no format that can be written: ${writableFormats.join(", ")}.`, {
    remedy: `Choose one of ${writableFormats.join(", ")}.`,
  });
}
