// The disks of a running QEMU: which block node each has now, and what never changes about it.

import { z } from "zod";
import { hostErrors } from "../errors.ts";
import type { QmpConnection, QmpOptions } from "./qmp.ts";

export interface DirtyBitmap {
  readonly name: string;
  readonly isInconsistent: boolean;
  readonly isRecording: boolean;
}

export interface BlockDevice {
  /** The serial, else the device's own id. */
  readonly id: string;
  /** The topmost block node: another one after each attach, so it is never stored. */
  readonly node: string;
  /** The id of the device that shows it to the guest, where it has one. */
  readonly device: string | undefined;
  readonly sizeBytes: number;
  readonly format: string;
  readonly path: string | undefined;
  readonly isReadOnly: boolean;
  readonly bitmaps: readonly DirtyBitmap[];
  /** Whether the image can keep a bitmap over a restart of QEMU: only qcow2 of version 3 can. */
  readonly keepsBitmaps: boolean;
}

const bitmapSchema = z.object({
  name: z.string().optional(),
  inconsistent: z.boolean().optional(),
  recording: z.boolean(),
});

const blockSchema = z
  .array(
    z.object({
      device: z.string(),
      qdev: z.string().optional(),
      removable: z.boolean(),
      inserted: z
        .object({
          "node-name": z.string(),
          ro: z.boolean(),
          drv: z.string(),
          file: z.string(),
          image: z.object({
            "virtual-size": z.number().int().nonnegative(),
            format: z.string(),
            filename: z.string(),
            "format-specific": z.object({ type: z.string(), data: z.unknown() }).optional(),
          }),
          "dirty-bitmaps": z.array(bitmapSchema).optional(),
        })
        .optional(),
    }),
  )
  .max(1000);

const qcow2Schema = z.object({ compat: z.string() });

export async function listBlockDevices(qmp: QmpConnection, options: QmpOptions = {}): Promise<BlockDevice[]> {
  const blocks = checkAnswer(blockSchema, await qmp.command("query-block", undefined, options), "query-block");
  const devices: BlockDevice[] = [];
  for (const { device, qdev, removable, inserted } of blocks) {
    if (removable || inserted === undefined || isFlash(qdev)) continue;
    const { image, drv } = inserted;
    const specific = image["format-specific"];
    const compat = specific?.type === "qcow2" ? qcow2Schema.safeParse(specific.data).data?.compat : undefined;
    devices.push({
      id: (await serialOf(qmp, qdev, options)) ?? deviceId(qdev) ?? (device === "" ? `file:${image.filename}` : device),
      node: inserted["node-name"],
      device: deviceId(qdev),
      sizeBytes: image["virtual-size"],
      format: drv,
      path: image.filename.startsWith("json:") ? undefined : image.filename,
      isReadOnly: inserted.ro,
      bitmaps: (inserted["dirty-bitmaps"] ?? []).flatMap(({ name, inconsistent, recording }) =>
        name === undefined ? [] : [{ name, isInconsistent: inconsistent === true, isRecording: recording }],
      ),
      keepsBitmaps: compat !== undefined && compat !== "0.10",
    });
  }
  return devices;
}

/** Flash of the board itself, `/machine/system.flash1`: what a UEFI firmware is, and what it keeps. No disk. */
export function isFlash(qdev: string | undefined): boolean {
  return /^\/machine\/[a-z]+\.flash\d$/.test(qdev ?? "");
}

async function serialOf(
  qmp: QmpConnection,
  qdev: string | undefined,
  options: QmpOptions,
): Promise<string | undefined> {
  if (qdev === undefined) return undefined;
  const path = qdev.startsWith("/") ? qdev : `/machine/peripheral/${qdev}`;
  try {
    const serial = await qmp.command("qom-get", { path, property: "serial" }, options);
    return typeof serial === "string" && serial !== "" ? serial.slice(0, 256) : undefined;
  } catch (error) {
    // Some kinds of disk have no such property.
    if (error instanceof Error && error.name === "QemuRefused") return undefined;
    throw error;
  }
}

/** `dev-a` of `dev-a` or of `/machine/peripheral/dev-a/virtio-backend`; devices without an id have none. */
function deviceId(qdev: string | undefined): string | undefined {
  if (qdev === undefined || !qdev.startsWith("/")) return qdev;
  return /^\/machine\/peripheral\/([^/]+)/.exec(qdev)?.[1];
}

export function checkAnswer<T>(schema: z.ZodType<T>, answer: unknown, command: string): T {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  throw hostErrors.MonitorMisbehaved(`QEMU's answer to ${command} has the wrong shape.`, { cause: result.error });
}
