// The helper guest as it stands after its start, kept in a file, so that a session goes on from there
// instead of booting. Always true: it is saved before the guest has seen any disk, and sessions get the
// file for reading only, so nothing of a recovery point comes into it. It fits one QEMU on one kind of
// processor; any other has a file of its own. One that QEMU refuses is removed.

import { createHash } from "node:crypto";
import { cpus, release } from "node:os";
import { dirname, join } from "node:path";
import { connectQmp, type QmpConnection } from "../../hosts/qemu/qmp.ts";
import { disk } from "../../lib/files.ts";
import { findProgram } from "../../lib/processes.ts";
import { newGuid } from "../../lib/random.ts";
import { listenOnce } from "./listen-once.ts";
import { machineArguments, qemuProgram, startMachine, type HelperMachine, type MachineKind } from "./helper-machine.ts";

const bootMilliseconds = 180_000;
const movingMilliseconds = 60_000;
const unlimitedBytesPerSecond = 2 ** 40;
const prefix = "state-";

/** What was found or made in the life of this process; nothing where saving failed. */
const known = new Map<string, Promise<string | undefined>>();

/** The path of the state that fits; made when it is not there. Without one a guest boots, so no failure matters. */
export async function ensureSavedState(kind: MachineKind, signal?: AbortSignal): Promise<string | undefined> {
  const path = join(dirname(kind.image.initrd), `${prefix}${await nameOf(kind)}`);
  const made = known.get(path) ?? findOrSave(kind, path, signal).catch(() => undefined);
  known.set(path, made);
  const found = await made;
  if (signal?.aborted === true && found === undefined) known.delete(path); // it was called off, which says nothing
  signal?.throwIfAborted();
  return found;
}

export interface ResumeSettings {
  readonly folder: string;
  readonly extraArguments: readonly string[];
}

export interface Resumed {
  readonly machine: HelperMachine;
  readonly monitor: QmpConnection;
}

/** A machine that goes on from the state, before it is given disks. A state that does not load is given up. */
export async function resumeMachine(
  kind: MachineKind,
  path: string,
  settings: ResumeSettings,
  signal?: AbortSignal,
): Promise<Resumed> {
  try {
    return await load(kind, path, settings, signal);
  } catch (error) {
    if (signal?.aborted !== true) await giveUp(path);
    throw error;
  }
}

async function load(
  kind: MachineKind,
  path: string,
  settings: ResumeSettings,
  signal: AbortSignal | undefined,
): Promise<Resumed> {
  await using ends = new AsyncDisposableStack();
  const state = ends.use(await disk.open(path, "readNoFollow"));
  const extraArguments = [...settings.extraArguments, "-incoming", "defer"];
  const descriptor = state.descriptor;
  const machine = ends.use(await startMachine({ ...kind, ...settings, extraArguments, descriptor }, signal));
  const monitor = ends.use(await connectQmp(machine.monitorPath, signal));
  await moved(monitor, () => monitor.command("migrate-incoming", { uri: "fd:3" }), signal);
  await monitor.command("cont", undefined, { signal });
  ends.move(); // the caller's now, but for the file, which QEMU has read
  await state.close();
  return { machine, monitor };
}

/** Guests boot from now on, in this process; the next one saves anew. */
async function giveUp(path: string): Promise<void> {
  known.set(path, Promise.resolve(undefined));
  await disk.remove(path);
}

async function nameOf(kind: MachineKind): Promise<string> {
  const program = await disk.realPath(findProgram(qemuProgram) ?? qemuProgram);
  const status = await disk.status(program);
  // The image lies beside the state, wherever its folder has been copied to.
  const machine = machineArguments({ ...kind, image: { kernel: "", initrd: "" } });
  const parts = [program, status?.size, status?.modifiedAt, cpus()[0]?.model, release(), machine];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
}

async function findOrSave(kind: MachineKind, path: string, signal?: AbortSignal): Promise<string> {
  if ((await disk.status(path)) === undefined) await save(kind, path, signal);
  return path;
}

/** Written beside its place and moved there when whole; states that fitted before are removed. */
async function save(kind: MachineKind, path: string, signal?: AbortSignal): Promise<void> {
  const place = dirname(path);
  const work = join(place, `.saving-${newGuid().slice(0, 8)}`);
  await disk.makeDirectory(work);
  try {
    const written = join(work, "state");
    await using machine = await startMachine({ ...kind, folder: work, extraArguments: [] }, signal);
    await machine.port.ask(["warm"], bootMilliseconds, signal); // the guest is up when it answers
    using monitor = await connectQmp(machine.monitorPath, signal);
    await monitor.command("stop");
    await monitor.command("migrate-set-parameters", { "max-bandwidth": unlimitedBytesPerSecond });
    using listener = await listenOnce(join(work, "state.sock"));
    await Promise.all([
      moved(monitor, () => monitor.command("migrate", { uri: `unix:${listener.path}` }), signal),
      listener.connection.then((socket) => store(socket, written)),
    ]);
    const older = (await disk.list(place)).filter((name) => name.startsWith(prefix));
    await disk.rename(written, path);
    await disk.syncDirectory(place);
    for (const name of older) await disk.remove(join(place, name));
  } finally {
    await disk.removeTree(work);
  }
}

async function store(stream: AsyncIterable<Uint8Array>, path: string): Promise<void> {
  await using file = await disk.open(path, "createNew");
  let length = 0;
  for await (const piece of stream) {
    await file.write(piece, length);
    length += piece.length;
  }
  await file.sync();
}

/** Moves the state in or out, until QEMU says so. */
async function moved(monitor: QmpConnection, begin: () => Promise<unknown>, signal?: AbortSignal): Promise<void> {
  await monitor.command("migrate-set-capabilities", { capabilities: [{ capability: "events", state: true }] });
  const late = AbortSignal.timeout(movingMilliseconds);
  const stopped = signal === undefined ? late : AbortSignal.any([signal, late]);
  const done = Promise.withResolvers<void>();
  const stop = (): void => done.reject(stopped.reason);
  stopped.addEventListener("abort", stop, { once: true });
  const forget = monitor.onEvent(({ event, data: { status } }) => {
    if (event !== "MIGRATION") return;
    if (status === "completed") done.resolve();
    else if (status === "failed") done.reject(new Error("QEMU could not move the state"));
  });
  monitor.ended.then(done.reject, done.reject);
  try {
    await Promise.all([begin(), done.promise]);
  } finally {
    forget();
    stopped.removeEventListener("abort", stop);
  }
}
