// Which kernel QEMU was told to boot, if it was told one.

import { z } from "zod";
import { isErrorCode } from "../../lib/errors.ts";
import type { DirectBoot } from "../host.ts";
import { checkAnswer } from "./block-devices.ts";
import type { QmpConnection } from "./qmp.ts";

export async function readDirectBoot(qmp: QmpConnection, signal?: AbortSignal): Promise<DirectBoot | undefined> {
  const path = await propertyOf(qmp, "kernel", signal);
  if (path === undefined) return undefined;
  const initrdPath = await propertyOf(qmp, "initrd", signal);
  const commandLine = (await propertyOf(qmp, "append", signal)) ?? "";
  return { path, ...(initrdPath === undefined ? {} : { initrdPath }), commandLine };
}

/** Of the machine; some kinds of machines have no such property. */
async function propertyOf(qmp: QmpConnection, property: string, signal?: AbortSignal): Promise<string | undefined> {
  try {
    const answer = await qmp.command("qom-get", { path: "/machine", property }, { signal });
    const text = checkAnswer(z.string().max(65_536), answer, "qom-get");
    return text === "" ? undefined : text;
  } catch (error) {
    if (isErrorCode(error, "QemuRefused")) return undefined;
    throw error;
  }
}
