// Removes from a QEMU what we put there: exports, jobs, nodes, bitmaps of sessions. It works on what
// QEMU says it has, not on what we remember, so it also cleans up after a process that was killed.
// Bitmaps of points stay: they may belong to a committed one.

import { z } from "zod";
import { HoldfastError } from "../../lib/errors.ts";
import { checkAnswer, listBlockDevices } from "./block-devices.ts";
import { isOurs, isSessionBitmap } from "./names.ts";
import type { QmpConnection, QmpEvent } from "./qmp.ts";

const exportsSchema = z.array(z.object({ id: z.string() }));
const jobsSchema = z.array(z.object({ device: z.string() }));
const nodesSchema = z.array(z.object({ "node-name": z.string().optional(), file: z.string() }));
const endMilliseconds = 10_000;

/** Names of what was removed, and paths of overlay files that can now be deleted. */
export interface Removed {
  readonly names: string[];
  readonly overlayPaths: string[];
}

export async function removeOurs(qmp: QmpConnection, signal?: AbortSignal): Promise<Removed> {
  const ask = async <T>(schema: z.ZodType<T>, command: string, args?: Record<string, unknown>): Promise<T> =>
    checkAnswer(schema, await qmp.command(command, args, { signal }), command);
  const names: string[] = [];
  const overlayPaths: string[] = [];

  const exports = await ask(exportsSchema, "query-block-exports");
  const ourExports = exports.filter(({ id }) => isOurs(id));
  const ourJobs = (await ask(jobsSchema, "query-block-jobs")).filter(({ device }) => isOurs(device));
  for (const { id } of ourExports) {
    await untilEvent(
      qmp,
      "BLOCK_EXPORT_DELETED",
      (data) => data["id"] === id,
      () => qmp.command("block-export-del", { id, mode: "hard" }, { signal }),
      signal,
    );
    names.push(id);
  }
  // The server is ours when it served, or was about to serve, a session of ours and nobody else's.
  if (exports.length === ourExports.length && (ourExports.length > 0 || ourJobs.length > 0)) {
    await qmp.command("nbd-server-stop", undefined, { signal }).catch(ignoreRefusal);
  }
  for (const { device } of ourJobs) {
    const isItsEnd = (data: Readonly<Record<string, unknown>>): boolean => data["device"] === device;
    await untilEvent(
      qmp,
      /^BLOCK_JOB_(CANCELLED|COMPLETED)$/,
      isItsEnd,
      () => qmp.command("block-job-cancel", { device, force: true }, { signal }),
      signal,
    );
    names.push(device);
  }
  const nodes = await ask(nodesSchema, "query-named-block-nodes", { flat: true });
  for (const { "node-name": node = "", file } of nodes) {
    if (!isOurs(node) || !node.endsWith(".o")) continue;
    await qmp.command("blockdev-del", { "node-name": node }, { signal });
    names.push(node);
    overlayPaths.push(file);
  }
  for (const { node, bitmaps } of await listBlockDevices(qmp, { signal })) {
    for (const { name } of bitmaps) {
      if (!isSessionBitmap(name)) continue;
      await qmp.command("block-dirty-bitmap-remove", { node, name }, { signal });
      names.push(name);
    }
  }
  return { names, overlayPaths };
}

/** Does something that ends with an event, and waits for it; the thing may be over already. */
async function untilEvent(
  qmp: QmpConnection,
  event: string | RegExp,
  matches: (data: QmpEvent["data"]) => boolean,
  act: () => Promise<unknown>,
  signal: AbortSignal | undefined,
): Promise<void> {
  let stopListening = (): void => {};
  const deadline = AbortSignal.timeout(endMilliseconds);
  try {
    const happened = new Promise<void>((resolve, reject) => {
      stopListening = qmp.onEvent((heard) => {
        const isNamed = typeof event === "string" ? heard.event === event : event.test(heard.event);
        if (isNamed && matches(heard.data)) resolve();
      });
      const stop = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
      stop.addEventListener("abort", () => reject(stop.reason), { once: true });
      void qmp.ended.then(reject);
    });
    happened.catch(() => {});
    await act();
    await happened;
  } catch (error) {
    ignoreRefusal(error);
  } finally {
    stopListening();
  }
}

/** QEMU refuses to remove what is not there any more; that is what was wanted. */
function ignoreRefusal(error: unknown): void {
  if (error instanceof HoldfastError && error.code === "QemuRefused") return;
  throw error;
}
