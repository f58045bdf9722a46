// Monitors that lie, are late or die. What a sound one does is shown on real guests (test/guests).

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openMonitors } from "./monitors.ts";
import { connectQmp } from "./qmp.ts";

const greeting = `${JSON.stringify({ QMP: { version: { qemu: { major: 7, minor: 2, micro: 0 } }, capabilities: [] } })}\n`;

type Answer = (question: { execute: string; id: number }, socket: Socket) => void;

async function fakeMonitor(
  answer: Answer,
  hello = greeting,
): Promise<AsyncDisposable & { path: string; clients: () => number }> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-qmp-"));
  const path = join(folder, "x.qmp");
  const sockets = new Set<Socket>();
  let clients = 0;
  const server = createServer((socket) => {
    clients += 1;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.write(hello);
    let text = "";
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString();
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
        const question = JSON.parse(text.slice(0, end));
        text = text.slice(end + 1);
        if (question.execute === "qmp_capabilities")
          socket.write(`${JSON.stringify({ return: {}, id: question.id })}\n`);
        else answer(question, socket);
      }
    });
  }).listen(path);
  await once(server, "listening");
  return {
    path,
    clients: () => clients,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    },
  };
}

const echo: Answer = ({ execute, id }, socket) => void socket.write(`${JSON.stringify({ return: execute, id })}\n`);

test("a monitor that does not greet is held by somebody else; one that greets wrongly is none", async () => {
  await using mute = await fakeMonitor(echo, "");
  await assert.rejects(connectQmp(mute.path), { code: "MonitorTaken" });
  await using wrong = await fakeMonitor(echo, '{"hello": 1}\n');
  await assert.rejects(connectQmp(wrong.path), { code: "MonitorMisbehaved" });
  await assert.rejects(connectQmp("/nonexistent.qmp"), { code: "MonitorUnreachable" });
});

test("answers find their questions in any order, between events; late ones are dropped", async () => {
  const held: (() => void)[] = [];
  await using monitor = await fakeMonitor((question, socket) => {
    if (question.execute === "slow") held.push(() => echo(question, socket));
    else {
      socket.write(`${JSON.stringify({ event: "STOP", data: {}, timestamp: {} })}\n`);
      echo(question, socket);
      for (const answer of held) answer();
    }
  });
  using qmp = await connectQmp(monitor.path);
  const events: string[] = [];
  const stop = qmp.onEvent(({ event }) => events.push(event));
  await assert.rejects(qmp.command("slow", {}, { timeoutMilliseconds: 20 }), { code: "MonitorUnresponsive" });
  const slow = qmp.command("slow");
  assert.equal(await qmp.command("fast"), "fast");
  assert.equal(await slow, "slow");
  stop();
  await qmp.command("fast");
  assert.deepEqual(events, ["STOP"]);
});

test("a monitor that dies fails everything that waits on it, by name", async () => {
  await using monitor = await fakeMonitor((_question, socket) => socket.destroy());
  using qmp = await connectQmp(monitor.path);
  await assert.rejects(qmp.command("query-block"), { code: "MonitorLost" });
  await assert.rejects(qmp.command("query-block"), { code: "MonitorLost" });
  assert.equal((await qmp.ended).code, "MonitorLost");
});

test("noise and endless lines end the connection", async () => {
  for (const noise of ["noise\n", '{"return": 1}\n', "x".repeat(33 * 1024 * 1024)]) {
    await using monitor = await fakeMonitor((_question, socket) => void socket.write(noise));
    using qmp = await connectQmp(monitor.path);
    await assert.rejects(qmp.command("query-block"), (error: Error) =>
      ["MonitorMisbehaved", "MonitorLost"].includes(error.name),
    );
  }
});

test("users of one monitor share a connection, and the last one closes it", async () => {
  await using monitor = await fakeMonitor(echo);
  const monitors = openMonitors();
  const leases = await Promise.all([monitors.lease(monitor.path), monitors.lease(monitor.path)]);
  assert.equal(monitor.clients(), 1);
  const [first, second] = leases;
  first?.[Symbol.dispose]();
  assert.equal(await second?.qmp.command("query-name"), "query-name");
  second?.[Symbol.dispose]();
  await second?.qmp.ended;
  using again = await monitors.lease(monitor.path);
  assert.equal(await again.qmp.command("query-name"), "query-name");
  assert.equal(monitor.clients(), 2);
});
