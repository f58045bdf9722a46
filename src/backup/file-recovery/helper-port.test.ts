import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, connect, type Socket } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openHelperPort } from "./helper-port.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-port-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let number = 0;

/** A guest that answers as the test says, whatever is asked. */
async function guest(reply: (request: string, socket: Socket) => void): Promise<Socket> {
  const path = join(folder, `${(number += 1)}.sock`);
  const server = createServer((socket) => {
    server.close();
    socket.on("error", () => {});
    socket.on("data", (text) => reply(text.toString("utf8"), socket));
  }).listen(path);
  await once(server, "listening");
  const socket = connect(path);
  await once(socket, "connect");
  return socket;
}

test("answers arrive in the order of the questions, however they are cut", async () => {
  const port = openHelperPort(
    await guest((request, socket) => {
      const answer = Buffer.from(`ok ${request.length}\n${request}`);
      socket.write(answer.subarray(0, 4));
      setImmediate(() => socket.write(answer.subarray(4)));
    }),
  );
  const answers = await Promise.all(["one", "two", "three"].map((word) => port.ask([word], 5000)));
  assert.deepEqual(answers.map(String), ["one\n", "two\n", "three\n"]);
  port.close();
  await assert.rejects(port.ask(["four"], 5000), { code: "FileRecoverySessionFailed" });
});

test("a refusal is thrown with its reason, and the next question is answered", async () => {
  let asked = 0;
  const port = openHelperPort(
    await guest((_, socket) => void socket.write((asked += 1) === 1 ? "err NotFound 4\nnone" : "ok 0\n")),
  );
  await assert.rejects(port.ask(["list"], 5000), { reason: "NotFound", message: "none" });
  assert.equal((await port.ask(["list"], 5000)).length, 0);
  port.close();
});

for (const [what, answer] of Object.entries({
  "more than may be answered": "ok 999999999\n",
  "no answer at all": "hello\n",
  "a head without an end": "o".repeat(200),
})) {
  test(`a guest that says ${what} ends the session`, async () => {
    const port = openHelperPort(await guest((_, socket) => void socket.write(answer)));
    await assert.rejects(port.ask(["list"], 5000), { code: "FileRecoverySessionFailed" });
    await port.ended;
  });
}

test("a guest that is silent, or goes, ends the session", async () => {
  const silent = openHelperPort(await guest(() => {}));
  await assert.rejects(silent.ask(["list"], 50), /did not answer in 50 ms/);
  const gone = openHelperPort(await guest((_, socket) => void socket.destroy()));
  await assert.rejects(gone.ask(["list"], 5000), /ended/);
});
