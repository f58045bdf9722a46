// What is put into a guest. Its version ends with a number made from its content, so a change there
// reaches every guest with the next backup.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { disk } from "../../lib/files.ts";

export interface ExtensionPackage {
  readonly version: string;
  /** The folder that it has in the guest. */
  readonly home: string;
  /** Input of the script `unpack`. */
  readonly bundle: string;
  readonly unpack: string;
  /** Of the files' contents, one after the other in the order of `paths`. */
  readonly digest: string;
  readonly paths: readonly string[];
}

export const extensionName = "Microsoft.Azure.RecoveryServices.VMSnapshotLinux";
export const guestFolder = "/var/lib/waagent";
const release = "1.9.1";
const files = join(import.meta.dirname, "..", "..", "..", "guest-files");

let reading: Promise<ExtensionPackage> | undefined;

export function extensionPackage(): Promise<ExtensionPackage> {
  reading ??= read();
  return reading;
}

async function read(): Promise<ExtensionPackage> {
  const sets = await disk.list(join(files, "scripts"));
  const paths = ["HandlerManifest.json", "handler", "supervise", "scripts/session"];
  for (const set of sets.filter((name) => name !== "session").sort()) {
    for (const name of (await disk.list(join(files, "scripts", set))).sort()) paths.push(`scripts/${set}/${name}`);
  }
  const hash = createHash("sha256");
  let bundle = "";
  for (const path of paths) {
    const text = (await disk.read(join(files, path.startsWith("scripts/") ? "" : "vmsnapshot", path))).toString("utf8");
    hash.update(text);
    const mode = path.endsWith(".json") ? "600" : "700";
    bundle += `${mode} ${text.split("\n").length - 1} ${path}\n${text}`;
  }
  const digest = hash.digest("hex");
  const version = `${release}.${parseInt(digest.slice(0, 4), 16)}`;
  return {
    version,
    home: `${guestFolder}/${extensionName}-${version}`,
    bundle,
    unpack: (await disk.read(join(files, "vmsnapshot", "unpack"))).toString("utf8"),
    digest,
    paths,
  };
}
