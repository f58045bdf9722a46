// The guest's file systems stand still for the snapshot, and never longer than allowed.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connectAgent, type GuestAgent } from "../../src/guest/agent.ts";
import { readCapabilities } from "../../src/guest/capabilities.ts";
import { startFreezeWatchdog } from "../../src/guest/freeze-watchdog.ts";
import { whileFrozen } from "../../src/guest/freeze.ts";
import { readGuestFile, writeGuestFile } from "../../src/guest/files.ts";
import { sleep, waitFor } from "../../src/lib/time.ts";
import { randomBytes } from "../../src/lib/random.ts";
import { readWhole, startBeats, startRig, type Rig } from "./rig.ts";

let rig: Rig;
before(async () => {
  rig = await startRig();
});
after(() => rig[Symbol.asyncDispose]());

test("a frozen snapshot needs no journal replay, an unfrozen one does", async () => {
  const dirty = "i=0; while :; do i=$((i + 1)); echo $i >/mnt/a/file-$((i % 50)); [ $((i % 20)) = 0 ] && sync; done";
  await rig.shell(`setsid sh -c 'echo $$ >/run/writer.pid; ${dirty}' </dev/null >/dev/null 2>&1 &`);
  const journalOf = async (consistency: "fileSystem" | "crash"): Promise<string> => {
    await using session = await rig.host.snapshot(rig.machine.id, {
      consistency,
      chain: "c",
      point: consistency,
      disks: ["a"],
    });
    assert.equal(session.consistency.level, consistency);
    if (session.consistency.level === "fileSystem") {
      assert.ok(session.consistency.fileSystems >= 3);
      assert.ok(session.consistency.hasWatchdog);
    }
    const image = join(rig.folder, `${consistency}.raw`);
    writeFileSync(image, await readWhole(session.disks[0]!));
    if (consistency === "fileSystem") execFileSync("e2fsck", ["-fn", image], { stdio: "pipe" });
    return execFileSync("dumpe2fs", ["-h", image], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  };
  assert.doesNotMatch(await journalOf("fileSystem"), /needs_recovery/);
  assert.match(await journalOf("crash"), /needs_recovery/);
  await rig.shell("kill -9 $(cat /run/writer.pid)");
  // Nothing of the watchdog stays behind.
  assert.equal((await rig.shell("ls /run/holdfast")).trim(), "");
});

test("an open snapshot tells how many writes of the guest there were, and how long they took", async () => {
  await using session = await rig.host.snapshot(rig.machine.id, { consistency: "crash", chain: "c", point: "counted" });
  const from = await session.guestWrites?.();
  await rig.shell("for i in 1 2 3 4 5; do echo $i >/mnt/a/counted; sync; done");
  const to = await session.guestWrites?.();
  assert.ok(from !== undefined && to !== undefined);
  assert.ok(to.operations >= from.operations + 5, `${from.operations} and then ${to.operations}`);
  assert.ok(to.nanoseconds > from.nanoseconds);
});

test("a guest whose freezer vanished thaws itself, and the claim is withdrawn", async () => {
  const path = join(rig.folder, "guest.qga");
  const limits = { budgetMilliseconds: 30_000, hardLimitMilliseconds: 2_000 };
  using agent = await connectAgent(path);
  const { outcome } = await whileFrozen(agent, limits, () => sleep(5_000));
  assert.equal(outcome.held, false);
  assert.equal(!outcome.held && outcome.reason, "ThawIncomplete");
  agent.close();
  await rig.shell("touch /mnt/a/writable /mnt/b/writable && sync");
});

test("with the agent killed and the service gone, the guest writes again within the watchdog's time", async () => {
  const path = join(rig.folder, "guest.qga");
  const beats = await startBeats(rig, "/mnt/a/beat", (program) =>
    rig.shell(`setsid ${program} </dev/null >/dev/null 2>&1 &`),
  );
  await rig.shell("setsid sh -c 'sleep 2; kill -9 $(pidof qemu-ga)' </dev/null >/dev/null 2>&1 &");
  {
    // Dies between freeze and thaw: nobody on the host thaws.
    using agent = await connectAgent(path);
    await startFreezeWatchdog(agent, 4_000);
    await agent.command("guest-fsfreeze-freeze");
  }
  const atFreeze = beats();
  // The second of two began after the freeze.
  await waitFor("the guest's writes", () => beats() >= atFreeze + 2 || undefined, 120_000);
  const tellThawed = async (): Promise<true> => {
    // The new agent believes that all is frozen still, and runs nothing.
    using agent = await connectAgent(path, { syncMilliseconds: 1000 });
    await agent.command("guest-fsfreeze-thaw");
    return true;
  };
  await waitFor("the agent", () => tellThawed().catch(() => undefined), 120_000);
  assert.match(await rig.shell("cd /run/holdfast && ls && rm *.fired"), /^freeze-[0-9a-f-]+\.fired$/m);
});

test("a snapshot that takes longer than the budget is thawed in time and counts as crash consistent", async () => {
  using agent = await connectAgent(join(rig.folder, "guest.qga"));
  let status: unknown;
  const { outcome } = await whileFrozen(agent, { budgetMilliseconds: 300, hardLimitMilliseconds: 10_000 }, async () => {
    await sleep(1_500);
    status = await agent.command("guest-fsfreeze-status");
  });
  assert.equal(status, "thawed");
  assert.equal(!outcome.held && outcome.reason, "FreezeTooSlow");
});

test("files go into the guest and come back", async () => {
  const content = randomBytes(200_000);
  await rig.host.withAgent(rig.machine.id, async (agent) => {
    await writeGuestFile(agent, "/tmp/file", content);
    assert.ok((await readGuestFile(agent, "/tmp/file", 300_000)).equals(content));
    await assert.rejects(readGuestFile(agent, "/tmp/file", 1000), { code: "GuestOutputTooLarge" });
    await assert.rejects(readGuestFile(agent, "/absent", 1000), { code: "AgentCommandFailed" });
  });
});

test("without exec in the guest there is no watchdog; without freeze the snapshot is crash consistent", async () => {
  const take = async (point: string): Promise<unknown> => {
    await using session = await rig.host.snapshot(rig.machine.id, { consistency: "fileSystem", chain: "c", point });
    return session.consistency;
  };
  const restrict = async (command: string): Promise<void> => {
    await rig.shell(
      `echo -b ${command} >/etc/agent-options; (sleep 0.3; kill $(pidof qemu-ga)) </dev/null >/dev/null 2>&1 &`,
    );
    const isGone = (agent: GuestAgent): Promise<true | undefined> =>
      readCapabilities(agent).then(({ commands }) => (commands.has(command) ? undefined : true));
    await waitFor(
      `an agent without ${command}`,
      () => rig.host.withAgent(rig.machine.id, isGone).catch(() => undefined),
      120_000,
    );
  };
  await restrict("guest-fsfreeze-freeze");
  const without = (await take("one")) as { level: string; reason: string };
  assert.deepEqual([without.level, without.reason], ["crash", "FreezeUnavailable"]);
  await restrict("guest-exec");
  const guarded = (await take("two")) as { level: string; hasWatchdog: boolean };
  assert.deepEqual([guarded.level, guarded.hasWatchdog], ["fileSystem", false]);
});
