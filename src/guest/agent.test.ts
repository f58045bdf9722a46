// Agents that lie, flood or fall silent. What a sound one does is shown on real guests (test/guests).

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connectAgent } from "./agent.ts";
import { readCapabilities } from "./capabilities.ts";
import { readGuestFile } from "./files.ts";
import { runInGuest } from "./programs.ts";

type Answer = (question: { execute: string; arguments?: { id?: number } }, socket: Socket) => void;

async function fakeAgent(answer: Answer): Promise<AsyncDisposable & { path: string }> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-agent-"));
  const path = join(folder, "agent");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    let text = "";
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1").replaceAll("\xff", "");
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
        answer(JSON.parse(text.slice(0, end)), socket);
        text = text.slice(end + 1);
      }
    });
  }).listen(path);
  await once(server, "listening");
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    },
  };
}

const reply = (socket: Socket, value: unknown): void => void socket.write(`${JSON.stringify({ return: value })}\n`);

/** Synchronises as it should, and leaves the rest to `answer`. */
const afterSync =
  (answer: Answer): Answer =>
  (question, socket) => {
    if (question.execute !== "guest-sync-delimited") answer(question, socket);
    else
      socket.write(
        Buffer.concat([Buffer.from([0xff]), Buffer.from(`${JSON.stringify({ return: question.arguments?.id })}\n`)]),
      );
  };

test("an agent that is silent, or answers the synchronisation with other numbers, is unresponsive in time", async () => {
  for (const answer of [() => {}, (_: unknown, socket: Socket) => void socket.write('\xff{"return": 1}\n', "latin1")]) {
    await using agent = await fakeAgent(answer);
    await assert.rejects(connectAgent(agent.path, { syncMilliseconds: 100 }), { code: "AgentUnresponsive" });
  }
  await assert.rejects(connectAgent("/nonexistent/agent"), { code: "AgentUnreachable" });
});

test("a guest that takes longer for each answer than the first attempt waits is reached all the same", async () => {
  await using agent = await fakeAgent((question, socket) => {
    setTimeout(() => afterSync((_question, socket) => reply(socket, "late"))(question, socket), 700);
  });
  using connected = await connectAgent(agent.path);
  assert.equal(await connected.command("guest-ping"), "late");
});

test("stale answers before the synchronisation are not taken for the next command's", async () => {
  await using agent = await fakeAgent((question, socket) => {
    if (question.execute === "guest-sync-delimited")
      socket.write('{"return": "stale"}\n{"return": {"pid": 1}}\ngarbage');
    afterSync((_question, socket) => reply(socket, "fresh"))(question, socket);
  });
  using connection = await connectAgent(agent.path);
  assert.equal(await connection.command("guest-ping"), "fresh");
});

test("an answer that comes too late is not taken for the answer to the next question", async () => {
  let held: (() => void) | undefined;
  await using agent = await fakeAgent(
    afterSync((question, socket) => {
      if (question.execute === "slow") held = () => reply(socket, "late");
      else {
        held?.();
        reply(socket, "right");
      }
    }),
  );
  using connection = await connectAgent(agent.path);
  await assert.rejects(connection.command("slow", {}, { timeoutMilliseconds: 50 }), { code: "AgentUnresponsive" });
  held?.();
  held = undefined;
  assert.equal(await connection.command("fast"), "right");
});

test("commands go one at a time, in order", async () => {
  let open = 0;
  await using agent = await fakeAgent(
    afterSync((question, socket) => {
      assert.equal((open += 1), 1);
      setImmediate(() => {
        open -= 1;
        reply(socket, question.execute);
      });
    }),
  );
  using connection = await connectAgent(agent.path);
  assert.deepEqual(await Promise.all(["a", "b", "c"].map((name) => connection.command(name))), ["a", "b", "c"]);
});

test("a line without end, and a flood that nobody asked for, cut the agent off", async () => {
  const flood = Buffer.alloc(1024 * 1024, "x");
  const pour = (socket: Socket): void => {
    if (!socket.destroyed && socket.write(flood)) setImmediate(pour, socket);
    else socket.once("drain", () => pour(socket));
  };
  await using endless = await fakeAgent(afterSync((_question, socket) => pour(socket)));
  using connection = await connectAgent(endless.path);
  await assert.rejects(connection.command("guest-ping"), {
    code: "AgentMisbehaved",
    message: /longer than 8388608 bytes/,
  });
  await assert.rejects(connection.command("guest-ping"), { code: "AgentMisbehaved" });
});

test("answers of the wrong shape are named, whatever the command", async () => {
  const wrong: unknown[] = [
    null,
    5,
    "x",
    [],
    { pid: "one" },
    { pid: -1 },
    { supported_commands: "all" },
    { exited: "yes" },
  ];
  for (const value of wrong) {
    await using agent = await fakeAgent(afterSync((_question, socket) => reply(socket, value)));
    using connection = await connectAgent(agent.path);
    await assert.rejects(readCapabilities(connection), { code: "AgentMisbehaved" });
    await assert.rejects(runInGuest(connection, { path: "/bin/true" }), { code: "AgentMisbehaved" });
  }
  await using noise = await fakeAgent(afterSync((_question, socket) => void socket.write("no json\n")));
  using connection = await connectAgent(noise.path);
  await assert.rejects(connection.command("guest-ping"), { code: "AgentMisbehaved" });
});

test("a file that never ends is read no further than allowed", async () => {
  await using agent = await fakeAgent(
    afterSync((question, socket) => {
      if (question.execute === "guest-file-read")
        reply(socket, { count: 49152, "buf-b64": "A".repeat(65536), eof: false });
      else reply(socket, 1000);
    }),
  );
  using connection = await connectAgent(agent.path);
  await assert.rejects(readGuestFile(connection, "/dev/zero", 1_000_000), { code: "GuestOutputTooLarge" });
});

test("a program that never ends is given up in time; one killed by a signal has the shell's exit code", async () => {
  let exited = false;
  await using agent = await fakeAgent(
    afterSync((question, socket) =>
      reply(socket, question.execute === "guest-exec" ? { pid: 7 } : { exited, signal: 9 }),
    ),
  );
  using connection = await connectAgent(agent.path);
  const program = { path: "/bin/sleep", timeoutMilliseconds: 30 };
  await assert.rejects(runInGuest(connection, program), { code: "GuestProgramTimedOut", message: /process 7/ });
  exited = true;
  assert.equal((await runInGuest(connection, program)).exitCode, 137);
});

test("a command that the guest forbids is unavailable, one that it fails has failed", async () => {
  let kind = "CommandNotFound";
  await using agent = await fakeAgent(
    afterSync((_question, socket) => void socket.write(`${JSON.stringify({ error: { class: kind, desc: "no" } })}\n`)),
  );
  using connection = await connectAgent(agent.path);
  await assert.rejects(connection.command("guest-exec"), { code: "AgentCommandUnavailable" });
  kind = "GenericError";
  await assert.rejects(connection.command("guest-exec"), { code: "AgentCommandFailed" });
});
