// Which UEFI firmware of this host a machine is given: one of those that distributions describe as QEMU's
// `docs/interop/firmware.json` says. Variables fit the firmware whose template has their size.

import { join } from "node:path";
import * as z from "zod";
import { disk } from "../../lib/files.ts";
import { run } from "../../lib/processes.ts";
import { hostErrors } from "../errors.ts";
import type { DefinedFirmware } from "../host.ts";
import { readImageFacts } from "../images/bitmaps.ts";

export interface ChosenFirmware {
  readonly path: string;
  readonly format: "raw" | "qcow2";
}

/** Of two files with one name the first folder's counts. */
const folders = ["/etc/qemu/firmware", "/usr/share/qemu/firmware"];
const copyMilliseconds = 60_000;

const fileSchema = z.object({ filename: z.string().startsWith("/"), format: z.enum(["raw", "qcow2"]) });
const descriptionSchema = z.object({
  "interface-types": z.array(z.string()),
  mapping: z.object({
    device: z.literal("flash"),
    mode: z.literal("split").optional(),
    executable: fileSchema,
    "nvram-template": fileSchema,
  }),
  targets: z.array(z.object({ architecture: z.string(), machines: z.array(z.string()) })),
  features: z.array(z.string()),
});
type Description = z.output<typeof descriptionSchema>;

/** The machine has variables when it returns: its own, or those that the firmware begins with. */
export async function prepareFirmware(
  { variablesPath, isSecureBoot }: DefinedFirmware,
  signal?: AbortSignal,
  descriptions: readonly string[] = folders,
): Promise<ChosenFirmware> {
  const present = (await disk.status(variablesPath))?.size;
  const { executable, template } = await choose(isSecureBoot, present, descriptions, signal);
  if (present === undefined) {
    const { format, filename } = template;
    const from = JSON.stringify({ driver: format, file: { driver: "file", filename } });
    await run("qemu-img", ["convert", "-O", "raw", `json:${from}`, `file:${variablesPath}`], {
      timeoutMilliseconds: copyMilliseconds,
      signal,
    });
  }
  return { path: executable.filename, format: executable.format };
}

interface Candidate {
  readonly executable: Description["mapping"]["executable"];
  readonly template: Description["mapping"]["nvram-template"];
}

async function choose(
  isSecureBoot: boolean,
  size: number | undefined,
  descriptions: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Candidate> {
  for (const { mapping, features, ...rest } of await readDescriptions(descriptions)) {
    const { executable, "nvram-template": template } = mapping;
    const fits = rest["interface-types"].includes("uefi") && rest.targets.some(runsOurMachines);
    if (!fits || features.includes("secure-boot") !== isSecureBoot) continue;
    if ((await disk.status(executable.filename)) === undefined || (await disk.status(template.filename)) === undefined)
      continue;
    if (
      size === undefined ||
      (await readImageFacts(template.filename, template.format, false, signal)).sizeBytes === size
    )
      return { executable, template };
  }
  const wanted = `UEFI firmware${isSecureBoot ? " with Secure Boot" : ""}`;
  throw hostErrors.FirmwareMissing(
    size === undefined
      ? `The host has no ${wanted}.`
      : `The host has no ${wanted} whose variables take ${size} bytes, as the machine's do.`,
  );
}

function runsOurMachines({ architecture, machines }: Description["targets"][number]): boolean {
  return architecture === "x86_64" && machines.some((name) => /^pc-q35(?:-|$)/.test(name));
}

/** In the order of their names; what is described otherwise is not for us. */
async function readDescriptions(places: readonly string[]): Promise<Description[]> {
  const paths = new Map<string, string>();
  for (const folder of places) {
    if ((await disk.status(folder))?.isDirectory !== true) continue;
    for (const name of await disk.list(folder))
      if (name.endsWith(".json") && !paths.has(name)) paths.set(name, join(folder, name));
  }
  const found: Description[] = [];
  for (const name of [...paths.keys()].sort()) {
    const parsed = descriptionSchema.safeParse(readJson(await disk.read(paths.get(name) ?? "")));
    if (parsed.success) found.push(parsed.data);
  }
  return found;
}

function readJson(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString("utf8"));
  } catch {
    return undefined;
  }
}
