// The firmware of a running QEMU. Its variables are read as QEMU has them, through an export: which file
// they lie in does not matter.

import { z } from "zod";
import { isErrorCode } from "../../lib/errors.ts";
import { connectNbd } from "../../nbd/client.ts";
import {
  checkVariables,
  checkVariableSize,
  NotVariables,
  uefiWith,
  type MachineFirmware,
} from "../firmware/variables.ts";
import { checkAnswer, isFlash } from "./block-devices.ts";
import type { QmpConnection } from "./qmp.ts";

const blocksSchema = z
  .array(
    z.object({
      qdev: z.string().optional(),
      inserted: z.object({ "node-name": z.string(), ro: z.boolean() }).optional(),
    }),
  )
  .max(1000);
const tpmSchema = z.array(z.object({ options: z.object({ type: z.string() }) })).max(64);

/** `socketPath` is that of QEMU's NBD server, which runs. */
export async function readQemuFirmware(
  qmp: QmpConnection,
  socketPath: string,
  exportName: string,
  signal?: AbortSignal,
): Promise<MachineFirmware> {
  const hasEmulatedTpm = (await emulatedTpms(qmp, signal)) > 0;
  const blocks = checkAnswer(blocksSchema, await qmp.command("query-block", undefined, { signal }), "query-block");
  const flash = blocks.filter(({ qdev }) => isFlash(qdev));
  const [code] = flash;
  if (code === undefined) return { hasEmulatedTpm };
  const writable = flash.find(({ inserted }) => inserted?.ro === false)?.inserted?.["node-name"];
  const read = async (): Promise<Buffer> => {
    if (writable === undefined) throw new NotVariables("QEMU has no flash that can be written to");
    const names = { id: exportName, "node-name": writable, name: exportName };
    await qmp.command("block-export-add", { type: "nbd", ...names, writable: false }, { signal });
    // The session takes the export away with its own.
    await using client = await connectNbd({ socketPath, exportName, reconnectAttempts: 0 }, signal);
    checkVariableSize(client.size, "QEMU's flash");
    const content = Buffer.alloc(client.size);
    await client.read(content, 0, signal);
    return checkVariables(content, "QEMU's flash");
  };
  return { hasEmulatedTpm, uefi: await uefiWith(await isSecure(qmp, code.qdev ?? "", signal), read, "QEMU's flash") };
}

async function isSecure(qmp: QmpConnection, path: string, signal: AbortSignal | undefined): Promise<boolean> {
  return (await unlessRefused(() => qmp.command("qom-get", { path, property: "secure" }, { signal }))) === true;
}

async function emulatedTpms(qmp: QmpConnection, signal: AbortSignal | undefined): Promise<number> {
  const answer = await unlessRefused(() => qmp.command("query-tpm", undefined, { signal }));
  return (tpmSchema.safeParse(answer).data ?? []).filter(({ options }) => options.type === "emulator").length;
}

/** A QEMU without such a thing does not know the question. */
async function unlessRefused(ask: () => Promise<unknown>): Promise<unknown> {
  try {
    return await ask();
  } catch (error) {
    if (isErrorCode(error, "QemuRefused")) return undefined;
    throw error;
  }
}
