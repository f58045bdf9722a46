// Azurite, a real server with the Azure Blob protocol, on a free loopback port.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRequire } from "node:module";
import { ContainerClient, StorageSharedKeyCredential } from "@azure/storage-blob";

export interface Azurite {
  readonly account: string;
  readonly key: string;
  readonly endpoint: string;
  newContainer(name: string): Promise<void>;
  close(): Promise<void>;
}

export async function startAzurite(): Promise<Azurite> {
  const folder = await mkdtemp(join(tmpdir(), "azurite-"));
  const port = await freePort();
  const account = "testaccount";
  const key = randomBytes(64).toString("base64");
  const main = createRequire(import.meta.url).resolve("azurite/dist/src/blob/main.js");
  const options = ["--location", folder, "--blobHost", "127.0.0.1", "--blobPort", String(port), "--silent"];
  const child = spawn(process.execPath, [main, ...options, "--skipApiVersionCheck", "--disableTelemetry"], {
    env: { ...process.env, AZURITE_ACCOUNTS: `${account}:${key}` },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    let printed = "";
    child.stdout.on("data", (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.includes("successfully listens")) resolve();
    });
    child.once("exit", () => reject(new Error(`Azurite ended: ${printed}`)));
  });
  const endpoint = `http://127.0.0.1:${port}/${account}`;
  return {
    account,
    key,
    endpoint,
    newContainer: async (name) => {
      await new ContainerClient(`${endpoint}/${name}`, new StorageSharedKeyCredential(account, key)).create();
    },
    close: async () => {
      child.kill("SIGTERM");
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
