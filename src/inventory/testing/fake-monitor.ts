// Sockets that speak as QEMU's monitor does, as far as one look at a machine goes; and some that do
// not. A thousand of them cost nothing, and a test can make each as bad as it likes.

import { createServer, type Socket } from "node:net";
import { once } from "node:events";
import { join } from "node:path";

export type Manner = "good" | "silent" | "garbage" | "endless" | "mute after greeting";

export interface FakeMonitor extends AsyncDisposable {
  manner: Manner;
  status: "running" | "paused" | "shutdown";
}

const greeting = { QMP: { version: { qemu: { major: 7, minor: 2, micro: 0 }, package: "" }, capabilities: [] } };

/** Listens at NAME.qmp in the folder. */
export async function startFakeMonitor(
  folder: string,
  name: string,
  uuid = "00000000-0000-0000-0000-000000000000",
  manner: Manner = "good",
): Promise<FakeMonitor> {
  const open = new Set<Socket>();
  const fake = { manner, status: "running" } as { manner: Manner; status: FakeMonitor["status"] };
  const answers: Readonly<Record<string, () => unknown>> = {
    qmp_capabilities: () => ({}),
    "query-uuid": () => ({ UUID: uuid }),
    "query-status": () => ({ running: fake.status === "running", status: fake.status }),
    "query-memory-size-summary": () => ({ "base-memory": 512 * 1024 * 1024 }),
    "query-cpus-fast": () => [{}, {}],
    "query-block": () => [block],
    "query-block-exports": () => [],
    "query-block-jobs": () => [],
    "query-jobs": () => [],
    "query-named-block-nodes": () => [],
  };
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket)).on("error", () => {});
    if (fake.manner === "silent") return;
    if (fake.manner === "garbage") {
      socket.write("HTTP/1.1 400 Bad Request\r\n\r\n");
      return;
    }
    if (fake.manner === "endless") {
      const flood = (): void => {
        if (socket.write("x".repeat(1024 * 1024))) setImmediate(flood);
      };
      socket.on("drain", flood);
      flood();
      return;
    }
    const say = (message: unknown): void => void socket.write(`${JSON.stringify(message)}\r\n`);
    say(greeting);
    let rest = "";
    socket.on("data", (bytes: Buffer) => {
      const lines = (rest + bytes.toString("utf8")).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const { execute, id } = JSON.parse(line) as { execute: string; id: number };
        if (fake.manner === "mute after greeting" && execute !== "qmp_capabilities") continue;
        const answer = answers[execute];
        if (answer === undefined) say({ id, error: { class: "CommandNotFound", desc: `no ${execute}` } });
        else say({ id, return: answer() });
      }
    });
  });
  server.listen(join(folder, `${name}.qmp`));
  await once(server, "listening");
  return Object.assign(fake, {
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  });
}

const block = {
  device: "",
  qdev: "/machine/peripheral/dev-sys/virtio-backend",
  removable: false,
  inserted: {
    "node-name": "sys",
    ro: false,
    drv: "qcow2",
    file: "/images/sys.qcow2",
    image: { "virtual-size": 1024 ** 3, format: "qcow2", filename: "/images/sys.qcow2" },
  },
};
