// One look at a running machine.

import { z } from "zod";
import type { Machine, MachineDisk, PowerState } from "../host.ts";
import { checkAnswer, listBlockDevices, type BlockDevice } from "./block-devices.ts";
import type { QmpConnection, QmpOptions } from "./qmp.ts";

const uuidSchema = z.object({ UUID: z.string() });
const statusSchema = z.object({ running: z.boolean(), status: z.string() });
const memorySchema = z.object({ "base-memory": z.number() });
const noUuid = "00000000-0000-0000-0000-000000000000";
const endedStates = new Set(["shutdown", "guest-panicked", "postmigrate"]);

/** QEMU has stopped the guest because a disk failed it, such as for want of room. */
export async function isStoppedByFailure(qmp: QmpConnection): Promise<boolean> {
  return (await queryStatus(qmp)).status === "io-error";
}

/** The machine was migrated: its disks are those of another QEMU now. */
export async function hasMoved(qmp: QmpConnection): Promise<boolean> {
  return (await queryStatus(qmp)).status === "postmigrate";
}

export async function describeMachine(
  qmp: QmpConnection,
  name: string,
  hasAgent: boolean,
  options: QmpOptions = {},
): Promise<Machine> {
  const [uuid, status, memory, processors, devices] = await Promise.all([
    qmp.command("query-uuid", undefined, options).then((answer) => checkAnswer(uuidSchema, answer, "query-uuid").UUID),
    queryStatus(qmp, options),
    qmp
      .command("query-memory-size-summary", undefined, options)
      .then((answer) => checkAnswer(memorySchema, answer, "query-memory-size-summary")),
    qmp
      .command("query-cpus-fast", undefined, options)
      .then((answer) => checkAnswer(z.array(z.unknown()).max(4096), answer, "query-cpus-fast").length),
    listBlockDevices(qmp, options),
  ]);
  return {
    // A QEMU that was started without -uuid is known by its socket's name.
    id: uuid === noUuid ? `name:${name}` : uuid.toLowerCase(),
    name,
    powerState: powerState(status),
    hasAgent,
    disks: describeDisks(devices),
    memoryBytes: memory["base-memory"],
    processors,
    problem: undefined,
  };
}

export function describeDisks(devices: readonly BlockDevice[]): MachineDisk[] {
  return devices.map(({ id, sizeBytes, format, path, isReadOnly }, index) => ({
    id,
    name: id,
    sizeBytes,
    format,
    path,
    isReadOnly,
    lun: index - 1,
  }));
}

function powerState({ running, status }: { running: boolean; status: string }): PowerState {
  if (running) return "running";
  return endedStates.has(status) ? "stopped" : "paused";
}

async function queryStatus(qmp: QmpConnection, options: QmpOptions = {}): Promise<z.infer<typeof statusSchema>> {
  return checkAnswer(statusSchema, await qmp.command("query-status", undefined, options), "query-status");
}
