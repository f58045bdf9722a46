// Machines that Holdfast itself may start, kept as NAME.json in a folder of the host. What a machine
// is must be known without a database: the host's folder can be moved to another service.

import { join } from "node:path";
import { z } from "zod";
import { systemCode } from "../../lib/errors.ts";
import { disk } from "../../lib/files.ts";
import { hostErrors } from "../errors.ts";
import type { DefinedDisk, MachineDefinition } from "../host.ts";

const addressSchema = z.union([
  z.object({ socketPath: z.string().min(1) }),
  z.object({ host: z.string().min(1), port: z.number().int().min(1).max(65535) }),
]);

const sourceSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("image"), path: z.string().startsWith("/"), format: z.enum(["raw", "qcow2"]) }),
  z.object({
    kind: z.literal("point"),
    address: addressSchema,
    exportName: z.string().max(4096),
    overlayPath: z.string().startsWith("/"),
  }),
]);

const definitionSchema = z.object({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
  id: z.guid().toLowerCase(),
  memoryBytes: z
    .number()
    .int()
    .min(16 * 1024 * 1024),
  processors: z.number().int().min(1).max(1024),
  network: z.enum(["none", "user"]),
  // QEMU shows the guest 20 characters of a serial.
  disks: z
    .array(z.object({ id: z.string().regex(/^[A-Za-z0-9._-]{1,20}$/), source: sourceSchema }))
    .min(1)
    .max(64),
  kernel: z.object({ path: z.string(), initrdPath: z.string().optional(), commandLine: z.string() }).optional(),
  firmware: z.object({ variablesPath: z.string().startsWith("/"), isSecureBoot: z.boolean() }).optional(),
});

export interface Definitions {
  list(): Promise<MachineDefinition[]>;
  find(id: string): Promise<MachineDefinition>;
  save(definition: MachineDefinition): Promise<void>;
  /** Gives a machine other disks, if it was defined here. */
  change(id: string, disks: (before: readonly DefinedDisk[]) => readonly DefinedDisk[]): Promise<void>;
  remove(name: string): Promise<void>;
}

export function openDefinitions(folder: string): Definitions {
  const pathOf = (name: string): string => join(folder, `${name}.json`);
  const list = async (): Promise<MachineDefinition[]> => {
    if ((await disk.status(folder))?.isDirectory !== true) return [];
    const found: MachineDefinition[] = [];
    for (const name of (await disk.list(folder)).sort()) {
      if (!name.endsWith(".json")) continue;
      const content = await readUnlessGone(join(folder, name));
      if (content !== undefined) found.push(checkDefinition(JSON.parse(content.toString("utf8"))));
    }
    return found;
  };
  const save = async (definition: MachineDefinition): Promise<void> => {
    await disk.makeDirectory(folder);
    await disk.writeDurably(pathOf(definition.name), JSON.stringify(definition, null, 2));
  };
  return {
    list,
    find: async (id) => {
      const found = (await list()).find((definition) => definition.id === id);
      if (found === undefined)
        throw hostErrors.MachineNotDefined(`The machine ${id} was not defined through Holdfast.`);
      return found;
    },
    save,
    change: async (id, disks) => {
      const found = (await list()).find((definition) => definition.id === id);
      if (found !== undefined) await save(checkDefinition({ ...found, disks: disks(found.disks) }));
    },
    remove: (name) => disk.remove(pathOf(name)),
  };
}

export function checkDefinition(value: unknown): MachineDefinition {
  const result = definitionSchema.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw hostErrors.HostSettingsInvalid(
      `The machine's ${issue?.path.join(".") || "definition"} is wrong: ${issue?.message ?? ""}.`,
      { cause: result.error },
    );
  }
  const ids = result.data.disks.map(({ id }) => id);
  if (new Set(ids).size < ids.length)
    throw hostErrors.DisksShareIdentity(`Two disks of ${result.data.name} have the same id.`);
  return result.data;
}

/** A machine may be deleted while its neighbours are listed. */
async function readUnlessGone(path: string): Promise<Buffer | undefined> {
  try {
    return await disk.read(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
