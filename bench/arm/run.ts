// How fast the wire answers, beside what a bare "hello" gives in the same run.
//   node bench/arm/run.ts [--seconds 10] > bench/arm/results.md

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openDatabase } from "../../src/db/database.ts";
import { putResource } from "../../src/arm/resources/resource-store.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { startTestService } from "../../test/support/service.ts";
import { runLoad, type LoadResult } from "./load.ts";

const { values } = parseArgs({ options: { seconds: { type: "string", default: "10" } } });
const seconds = Number(values.seconds);
const manyResources = 10_000;
const rows: string[] = [];

const first = await startTestService({ keepData: true });
const { data } = first;
const subscription = `/subscriptions/${first.admin.subscriptionId}`;
await first.call("PUT", `${subscription}/resourceGroups/bench?api-version=2021-04-01`, { body: { location: "local" } });
await first.stop();

{
  await using database = await openDatabase({ file: join(data, "control.sqlite"), clock: systemClock });
  const by = { caller: { name: "bench", principalType: "User" as const }, clock: systemClock };
  for (let start = 0; start < manyResources; start += 500) {
    await database.transaction(async (trx) => {
      for (let number = start; number < start + 500; number += 1) {
        const id = `${subscription}/resourceGroups/bench/providers/Microsoft.ManagedIdentity/userAssignedIdentities/bench-${String(number).padStart(5, "0")}`;
        await putResource(trx, { id, location: "local", tracked: true, properties: { number } }, by);
      }
    });
  }
}

const startedAt = performance.now();
const service = await startTestService({ data });
const startSeconds = (performance.now() - startedAt) / 1000;
await new Promise((resolve) => setTimeout(resolve, 3000));
const rssMiB = residentMiB(service.pid);
const authority = readFileSync(service.ca);
const port = Number(new URL(service.endpoint).port);
const token = (await bearer()).trim();
const headers = { Authorization: `Bearer ${token}` };

const hello = spawn(
  process.execPath,
  [join(import.meta.dirname, "hello.ts"), join(data, "tls/server.pem"), join(data, "tls/server.key")],
  { stdio: ["ignore", "pipe", "inherit"] },
);
const [helloPort] = (await once(hello.stdout, "data")) as [Buffer];

const load = { authority, connections: 50, seconds, headers };
const groupPath = `${subscription}/resourceGroups/bench?api-version=2021-04-01`;
await runLoad({ ...load, port, path: groupPath, seconds: 3 }); // warm
await runLoad({ ...load, port: Number(helloPort.toString()), path: "/", seconds: 3 });
const bare = await runLoad({ ...load, port: Number(helloPort.toString()), path: "/" });
row("bare hono hello, 50 connections", bare);
const group = await runLoad({ ...load, port, path: groupPath });
row("GET of a resource group, 50 connections", group);
const page = await runLoad({
  ...load,
  port,
  path: `${subscription}/resources?api-version=2021-04-01&$top=200`,
  connections: 1,
});
row("page of 200 of 10,000 resources, 1 connection", page);
const page1000 = await runLoad({
  ...load,
  port,
  path: `${subscription}/resources?api-version=2021-04-01&$top=1000`,
  connections: 1,
});
row("page of 1,000 of 10,000 resources, 1 connection", page1000);

hello.kill();
await service.stop();
await rm(data, { recursive: true, force: true });

process.stdout.write(`# The ARM wire under load

${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}; client and server on the same cores; ${seconds} s each.

| what | requests/s | p50 ms | p95 ms | p99 ms | failures |
|---|---|---|---|---|---|
${rows.join("\n")}

GET of a group at ${(group.perSecond / bare.perSecond).toFixed(2)} x the rate of the bare hello. Second start to ready: ${startSeconds.toFixed(2)} s. Resident memory at rest: ${rssMiB.toFixed(0)} MiB.
`);

function row(name: string, result: LoadResult): void {
  rows.push(
    `| ${name} | ${result.perSecond.toFixed(0)} | ${result.p50.toFixed(1)} | ${result.p95.toFixed(1)} | ${result.p99.toFixed(1)} | ${result.failures} |`,
  );
}

function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
}

async function bearer(): Promise<string> {
  const child = spawn(join(import.meta.dirname, "../../holdfast"), ["token", "--data", data], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(child, "close");
  return Buffer.concat(chunks).toString("utf8");
}
