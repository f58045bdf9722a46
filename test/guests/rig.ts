// What the tests of real guests share: a guest with an agent that answers, and reading of snapshots.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GuestAgent } from "../../src/guest/agent.ts";
import { runInGuest } from "../../src/guest/programs.ts";
import type { Host, Machine, ReachedConsistency, SnapshotDisk, SnapshotRequest } from "../../src/hosts/host.ts";
import { openQemuHost, type QemuHostSettings } from "../../src/hosts/qemu/host.ts";
import { HoldfastError } from "../../src/lib/errors.ts";
import { waitFor } from "../../src/lib/time.ts";
import { connectNbd, type NbdClient } from "../../src/nbd/client.ts";
import { dirtyFlag } from "../../src/nbd/protocol.ts";
import { startGuest, type GuestOptions, type RunningGuest } from "./running-guest.ts";

export interface Rig extends AsyncDisposable {
  readonly folder: string;
  readonly host: Host;
  readonly guest: RunningGuest;
  readonly machine: Machine;
  /** Runs a shell command in the guest; fails when it fails. */
  shell(command: string, timeoutMilliseconds?: number): Promise<string>;
}

export async function startRig(options: GuestOptions = {}, settings: Partial<QemuHostSettings> = {}): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-guests-"));
  const guest = await startGuest({ ...options, folder });
  const host = openQemuHost({ socketFolder: folder, ...settings });
  const machine = await waitFor(
    "the machine",
    async () => (await host.listMachines()).find(({ problem }) => problem === undefined),
    120_000,
  );
  const rig: Rig = {
    folder,
    host,
    guest,
    machine,
    shell: (command, timeoutMilliseconds) =>
      host.withAgent(machine.id, (agent) => shellIn(agent, command, timeoutMilliseconds)),
    [Symbol.asyncDispose]: async () => {
      await guest[Symbol.asyncDispose]();
      await host.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await untilAgentAnswers(rig);
    return rig;
  } catch (error) {
    await rig[Symbol.asyncDispose]();
    throw error;
  }
}

export function untilAgentAnswers(rig: Pick<Rig, "shell">): Promise<string> {
  return waitFor("the guest's agent", () => rig.shell("cat /proc/uptime").catch(notYet), 180_000);
}

function notYet(error: unknown): undefined {
  if (error instanceof HoldfastError && error.code.startsWith("Agent")) return undefined;
  throw error;
}

async function shellIn(agent: GuestAgent, command: string, timeoutMilliseconds = 120_000): Promise<string> {
  const args = ["-c", command];
  const { exitCode, stdout, stderr } = await runInGuest(agent, { path: "/bin/sh", args, timeoutMilliseconds });
  if (exitCode !== 0) throw new Error(`${command} ended with ${exitCode} in the guest: ${stderr}`);
  return stdout;
}

/**
 * Writes to a file of the guest for ever, durably, and says so on its console. How often it did is read from
 * there, with nobody asking the agent: what is seen after a freeze happened without the host's help.
 */
export async function startBeats(
  { folder }: Pick<Rig, "folder">,
  file: string,
  start: (program: string) => Promise<unknown>,
): Promise<() => number> {
  await start(`sh -c 'while :; do date >${file}; sync; echo beat >/dev/ttyS0; sleep 0.2; done'`);
  return () => readFileSync(join(folder, "guest.images/console.log"), "utf8").split("beat").length;
}

export function newDisk(
  folder: string,
  name: string,
  mebibytes: number,
): { name: string; path: string; format: "raw" } {
  const path = join(folder, `${name}.raw`);
  writeFileSync(path, "");
  truncateSync(path, mebibytes * 1024 * 1024);
  return { name, path, format: "raw" };
}

/** `/dev/vdc` of the disk with a serial, as the guest's shell sees it. */
export const deviceOf = (serial: string): string =>
  `/dev/$(basename $(dirname $(grep -lx ${serial} /sys/block/*/serial)))`;

export function openDisk(disk: SnapshotDisk): Promise<NbdClient> {
  const { changes, address, exportName } = disk;
  return connectNbd({ ...address, exportName, metaContexts: changes.known ? [changes.metaContext] : [] });
}

const piece = 1024 * 1024;

export async function readWhole(disk: SnapshotDisk): Promise<Buffer> {
  await using client = await openDisk(disk);
  const whole = Buffer.alloc(client.size);
  await client.read(whole, 0);
  return whole;
}

/** The last copy brought up to date with only what the snapshot calls changed. */
export async function applyChanges(
  disk: SnapshotDisk,
  previous: Buffer,
): Promise<{ content: Buffer; readBytes: number }> {
  if (!disk.changes.known) throw new Error(`${disk.exportName}: no changes are known, ${disk.changes.reason}`);
  await using client = await openDisk(disk);
  const content = Buffer.alloc(client.size);
  previous.copy(content);
  let readBytes = 0;
  for await (const { offset, length, flags } of client.blockStatus(0, client.size, disk.changes.metaContext)) {
    if ((flags & dirtyFlag) === 0) continue;
    readBytes += length;
    for (let at = 0; at < length; at += piece) {
      const size = Math.min(piece, length - at);
      await client.read(content.subarray(offset + at, offset + at + size), offset + at);
    }
  }
  const { grownFrom } = disk.changes;
  if (grownFrom < content.length) await client.read(content.subarray(grownFrom), grownFrom);
  return { content, readBytes };
}

/** Takes a snapshot, checks each disk against a full read, commits or abandons it. */
export async function takePoint(
  host: Host,
  machineId: string,
  copies: Map<string, Buffer>,
  request: SnapshotRequest,
  commits: boolean,
): Promise<{ reasons: Record<string, string>; readBytes: number; consistency: ReachedConsistency }> {
  await using session = await host.snapshot(machineId, request);
  const reasons: Record<string, string> = {};
  let readBytes = 0;
  for (const disk of session.disks) {
    const { id } = disk.disk;
    const whole = await readWhole(disk);
    if (disk.changes.known) {
      const applied = await applyChanges(disk, copies.get(id) ?? Buffer.alloc(0));
      assert.equal(digest(applied.content), digest(whole), `${request.point}, disk ${id}`);
      readBytes += applied.readBytes;
    } else {
      reasons[id] = disk.changes.reason;
      readBytes += whole.length;
    }
    if (commits) copies.set(id, whole);
  }
  if (commits) await session.commit();
  return { reasons, readBytes, consistency: session.consistency };
}

export const sizesOf = (copies: ReadonlyMap<string, Buffer>): Record<string, number> =>
  Object.fromEntries([...copies].map(([id, content]) => [id, content.length]));

export function digest(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
