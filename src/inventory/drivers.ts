// The kinds of host: what each needs to be told, how it is opened, and how to see cheaply that
// something may have changed on it.

import { join } from "node:path";
import { z } from "zod";
import type { Host } from "../hosts/host.ts";
import { openImagesHost } from "../hosts/images/host.ts";
import { openLibvirtHost } from "../hosts/libvirt/host.ts";
import { openQemuHost } from "../hosts/qemu/host.ts";
import { systemCode } from "../lib/errors.ts";
import { disk } from "../lib/files.ts";
import { inventoryErrors } from "./errors.ts";

const folder = z
  .string()
  .startsWith("/", "must be an absolute path")
  .max(1024)
  .refine((path) => !path.includes("\0") && !path.includes("\n"), "must hold neither line breaks nor zero bytes");

const imagesSettings = z.strictObject({
  kind: z.literal("images"),
  path: folder,
  scratchDirectory: folder.optional(),
});
const qemuSettings = z.strictObject({
  kind: z.literal("qemu"),
  socketDirectory: folder,
  scratchDirectory: folder.optional(),
  accelerator: z.enum(["kvm:tcg", "kvm", "tcg"]).optional(),
});
const libvirtRule =
  "must be a libvirt URI, such as qemu:///system or qemu+ssh://host/system, with no parameters but socket, mode, keyfile and known_hosts";
const libvirtTransports = new Set(["", "unix", "tls", "tcp", "ssh", "libssh", "libssh2"]);
const libvirtParameters = new Set(["socket", "mode", "keyfile", "known_hosts"]);

/** Some transports and parameters of libvirt (`ext`, `command`, `netcat`) name programs that it runs on our side. */
function isLibvirtUri(text: string): boolean {
  const form = /^[a-z][a-z0-9]*(?:\+([a-z0-9]+))?:\/\/[^\s\p{Cc}]*$/u.exec(text);
  if (form === null || !libvirtTransports.has(form[1] ?? "") || !URL.canParse(text)) return false;
  const { hostname, username, searchParams } = new URL(text);
  if (hostname.startsWith("-") || username.startsWith("-")) return false;
  return [...searchParams.keys()].every((name) => libvirtParameters.has(name));
}

const libvirtSettings = z.strictObject({
  kind: z.literal("libvirt"),
  uri: z.string().max(1024).refine(isLibvirtUri, libvirtRule),
  scratchDirectory: folder.optional(),
});

export const hostSettings = z.discriminatedUnion("kind", [imagesSettings, qemuSettings, libvirtSettings]);
export type HostSettings = z.output<typeof hostSettings>;

/** The place that makes a host what it is: two hosts of one kind and place are one. */
export function placeOf(settings: HostSettings): string {
  switch (settings.kind) {
    case "images":
      return settings.path;
    case "qemu":
      return settings.socketDirectory;
    case "libvirt":
      return settings.uri;
  }
}

export async function openDriver(settings: HostSettings): Promise<Host> {
  switch (settings.kind) {
    case "images":
      await checkFolder(settings.path);
      return openImagesHost({ folder: settings.path, scratchFolder: settings.scratchDirectory });
    case "qemu":
      await checkFolder(settings.socketDirectory);
      return openQemuHost({
        socketFolder: settings.socketDirectory,
        scratchFolder: settings.scratchDirectory,
        accelerator: settings.accelerator,
      });
    case "libvirt":
      return openLibvirtHost({ uri: settings.uri, scratchFolder: settings.scratchDirectory });
  }
}

/**
 * Changes whenever a machine may have come or gone; undefined where only a look can tell. Cheap: it
 * reads listings, no image and no monitor.
 */
export async function signatureOf(settings: HostSettings): Promise<string | undefined> {
  switch (settings.kind) {
    case "images":
      return listing(settings.path, true);
    case "qemu":
      return listing(settings.socketDirectory, false);
    case "libvirt":
      return undefined;
  }
}

async function listing(path: string, withFolders: boolean): Promise<string> {
  const lines: string[] = [];
  for (const name of (await disk.list(path)).sort()) {
    if (name.startsWith(".")) continue;
    const status = await disk.linkStatus(join(path, name));
    if (status === undefined) continue;
    // What is written into an image changes no machine; what is put into a folder of images may.
    lines.push(`${name}\0${status.inode}${withFolders && status.isDirectory ? ` ${status.modifiedAt}` : ""}`);
  }
  return lines.join("\0");
}

async function checkFolder(path: string): Promise<void> {
  let isFolder: boolean | undefined;
  try {
    isFolder = (await disk.status(path))?.isDirectory;
    if (isFolder === true) await disk.list(path);
  } catch (cause) {
    throw inventoryErrors.HostPathInvalid(`${path} cannot be read: ${systemCode(cause) ?? "unknown failure"}.`, {
      cause,
    });
  }
  if (isFolder === true) return;
  throw inventoryErrors.HostPathInvalid(`${path} ${isFolder === undefined ? "is not there" : "is no folder"}.`);
}
