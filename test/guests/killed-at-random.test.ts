// Whoever takes part in a snapshot is killed at a random moment of it: the service, the agent in the
// guest, QEMU, libvirt's daemon. The guest writes again within the time of its watchdog with nobody's
// help, the next point is right, byte for byte, and nothing of ours stays on the host.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { defaultFreezeLimits } from "../../src/guest/freeze.ts";
import { runInGuest } from "../../src/guest/programs.ts";
import type { Host, SnapshotRequest } from "../../src/hosts/host.ts";
import { openLibvirtHost } from "../../src/hosts/libvirt/host.ts";
import { connectQmp } from "../../src/hosts/qemu/qmp.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { sleep, waitFor } from "../../src/lib/time.ts";
import { attemptUntil } from "./endless-attempts.ts";
import { startLibvirtSession } from "./libvirt-session.ts";
import { isLong } from "./long.ts";
import { controlSocket, startGuest } from "./running-guest.ts";
import { sizesOf, startRig, takePoint, untilAgentAnswers, type Rig } from "./rig.ts";

const seed = Number(process.env["HOLDFAST_TEST_SEED"] ?? 20_261_121);
const kills = isLong ? { service: 20, agent: 15, qemu: 10, daemon: 15 } : { service: 1, agent: 1, qemu: 1, daemon: 1 };
/** An attempt takes about as long, so that every moment of one is met. */
const spanMilliseconds = 2_000;
/** Between a thaw and a line on the console, on a busy machine. */
const graceMilliseconds = 10_000;
const chain = "killed";
/** Software emulation on a busy machine is no reason to give up a level. */
const freezeLimits = { ...defaultFreezeLimits, budgetMilliseconds: 8_000 };

/** Writes to two file systems for ever, durably, and says so on the console. */
const beating =
  "i=0; while :; do i=$((i + 1)); " +
  "dd if=/dev/urandom of=/mnt/a/x bs=4k count=4 seek=$((i * 37 % 4000)) conv=notrunc,fsync 2>/dev/null; " +
  "echo $i >/mnt/b/beat; sync; echo beat $i >/dev/ttyS0; sleep 0.2; done";
const beat = `setsid sh -c '${beating}' </dev/null >/dev/null 2>&1 &`;

/** How long until two more beats: the second began after this call. */
async function untilItWrites(consolePath: string): Promise<number> {
  const count = (): number => readFileSync(consolePath, "utf8").split("beat ").length;
  const start = performance.now();
  const before = count();
  const limit = defaultFreezeLimits.hardLimitMilliseconds + graceMilliseconds;
  await waitFor("the guest's writes", () => count() >= before + 2 || undefined, limit, 50);
  return performance.now() - start;
}

class Chain {
  readonly copies = new Map<string, Buffer>();
  since: SnapshotRequest["since"];
  #number = 0;

  /**
   * Takes and commits a point; true when what had changed since the last one was known. On a busy machine
   * the guest may not answer a freeze in time: then there is one more, and both must be right.
   */
  async next(host: Host, machineId: string, tries = 3): Promise<boolean> {
    const point = `good-${(this.#number += 1)}`;
    const request = { chain, point, since: this.since, consistency: "fileSystem" as const };
    const { consistency, reasons } = await takePoint(host, machineId, this.copies, request, true);
    this.since = { point, sizes: sizesOf(this.copies) };
    const wasLate = consistency.level === "crash" && /^Freeze(?:TooSlow|Unanswered)$/.test(consistency.reason);
    if (wasLate && tries > 1) await this.next(host, machineId, tries - 1);
    else assert.equal(consistency.level, "fileSystem", JSON.stringify(consistency));
    return Object.keys(reasons).length === 0;
  }
}

/** Whatever in QEMU or in the scratch folder carries our name, but for the last point's own bitmap. */
async function traces({ folder }: Rig, point: string): Promise<string[]> {
  using qmp = await connectQmp(controlSocket(folder));
  const found: string[] = [];
  for (const query of ["query-block-exports", "query-block-jobs", "query-named-block-nodes", "query-block"])
    found.push(...(JSON.stringify(await qmp.command(query)).match(/holdfast\.[\w.-]+/g) ?? []));
  return [...found.filter((name) => name !== `holdfast.${chain}.${point}`), ...readdirSync(join(folder, ".holdfast"))];
}

/** As a service that starts does; the agent may not be back yet, and believes that all is frozen. */
async function untilClean(host: Host): Promise<void> {
  const isClean = async (): Promise<true | undefined> => (await host.cleanUp()).failures.length === 0 || undefined;
  await waitFor("a host without traces", isClean, 120_000);
}

async function killService(rig: Rig, points: Chain, delay: number): Promise<void> {
  const since = points.since === undefined ? [] : [JSON.stringify(points.since)];
  const program = join(import.meta.dirname, "endless-attempts.ts");
  const child = spawn(process.execPath, [program, rig.folder, rig.machine.id, chain, ...since], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  await once(child.stdout, "data");
  await sleep(delay);
  child.kill("SIGKILL");
  await exited;
  assert.equal(child.signalCode, "SIGKILL");
}

/** Something happens in the midst of attempts; they are over when this returns. */
async function amidAttempts(host: Host, machineId: string, points: Chain, act: () => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const over = attemptUntil(stop.signal, { host, machineId, request: { chain, since: points.since } });
  try {
    await act();
  } finally {
    stop.abort();
    await over;
  }
}

async function checkAfter(t: TestContext, rig: Rig, points: Chain, what: string, gap: number): Promise<void> {
  await untilClean(rig.host);
  await untilAgentAnswers(rig);
  const isKnown = await points.next(rig.host, rig.machine.id);
  assert.deepEqual(await traces(rig, points.since?.point ?? ""), []);
  t.diagnostic(`${what}: writes after ${Math.round(gap)} ms, changes ${isKnown ? "known" : "compared"}`);
}

test(`service, agent and QEMU are killed at random moments (seed ${seed})`, async (t) => {
  const random = seededRandom(seed);
  await using rig = await startRig({}, { freezeLimits });
  let guest = rig.guest;
  const console = join(rig.folder, "guest.images", "console.log");
  const points = new Chain();
  await rig.shell(beat);
  await points.next(rig.host, rig.machine.id);

  for (let round = 1; round <= kills.service; round += 1) {
    const delay = random() * spanMilliseconds;
    await killService(rig, points, delay);
    await checkAfter(
      t,
      rig,
      points,
      `service ${round}, killed after ${Math.round(delay)} ms`,
      await untilItWrites(console),
    );
  }
  for (let round = 1; round <= kills.agent; round += 1) {
    const delay = random() * spanMilliseconds;
    let gap = 0;
    await rig.shell(
      `setsid sh -c 'sleep ${(delay / 1000).toFixed(2)}; kill -9 $(pidof qemu-ga); echo killed >/dev/ttyS0' </dev/null >/dev/null 2>&1 &`,
    );
    const before = readFileSync(console, "utf8").split("killed").length;
    await amidAttempts(rig.host, rig.machine.id, points, async () => {
      const isKilled = (): true | undefined =>
        readFileSync(console, "utf8").split("killed").length > before || undefined;
      await waitFor("the end of the agent", isKilled, 120_000, 50);
      gap = await untilItWrites(console);
    });
    await checkAfter(t, rig, points, `agent ${round}, killed after ${Math.round(delay)} ms`, gap);
  }
  try {
    for (let round = 1; round <= kills.qemu; round += 1) {
      const delay = random() * spanMilliseconds;
      await amidAttempts(rig.host, rig.machine.id, points, async () => {
        await sleep(delay);
        await guest.kill();
      });
      guest = await startGuest({ folder: rig.folder, keepDisks: true });
      await untilAgentAnswers(rig);
      await rig.shell(beat);
      await checkAfter(
        t,
        rig,
        points,
        `QEMU ${round}, killed after ${Math.round(delay)} ms`,
        await untilItWrites(console),
      );
    }
  } finally {
    await guest.kill();
  }
});

test(`libvirt's daemon is killed at random moments (seed ${seed})`, async (t) => {
  const random = seededRandom(seed + 1);
  const id = "7a6dd2a5-7d5c-4d34-9f04-6e3f7e0a0003";
  await using session = await startLibvirtSession();
  const description = join(session.folder, "guest.xml");
  writeFileSync(
    description,
    await session.domain(
      id,
      (["sys", "a", "b"] as const).map((name) => ({ serial: name, template: name })),
    ),
  );
  await session.virsh("define", description);
  const host = await openLibvirtHost({ uri: session.uri, scratchFolder: session.scratchFolder, freezeLimits });
  await host.lifecycle?.start(id);
  const shell = (command: string): Promise<number> =>
    host.withAgent(id, async (agent) => (await runInGuest(agent, { path: "/bin/sh", args: ["-c", command] })).exitCode);
  const untilAgent = (): Promise<number> => waitFor("the agent", () => shell("true").catch(() => undefined), 120_000);
  await untilAgent();
  await shell(beat);
  const console = session.consoleOf(id);
  const points = new Chain();
  await points.next(host, id);

  for (let round = 1; round <= kills.daemon; round += 1) {
    const delay = random() * spanMilliseconds;
    let gap = 0;
    await amidAttempts(host, id, points, async () => {
      await sleep(delay);
      await session.killDaemon();
      gap = await untilItWrites(console);
      await session.startDaemon();
    });
    await untilClean(host);
    await untilAgent();
    const isKnown = await points.next(host, id);
    assert.deepEqual(
      readdirSync(session.scratchFolder).filter((name) => name !== "machines"),
      [],
    );
    assert.equal(
      await session.virsh("checkpoint-list", id, "--name"),
      `holdfast.${chain}.${points.since?.point ?? ""}`,
    );
    t.diagnostic(
      `daemon ${round}, killed after ${Math.round(delay)} ms: writes after ${Math.round(gap)} ms, changes ${isKnown ? "known" : "compared"}`,
    );
  }
  await host.close();
});
