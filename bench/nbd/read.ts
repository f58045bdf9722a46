// Reading a disk through our NBD client against nbdcopy, from the same qemu-nbd, in pairs.
//   node bench/nbd/read.ts [PAIRS] [MEBIBYTES]

import { execFileSync } from "node:child_process";
import { openSync, writeSync, closeSync } from "node:fs";
import { connectNbd } from "../../src/nbd/client.ts";
import { scratchFolder, startServer } from "../../src/nbd/testing/tools.ts";
import { randomBytes } from "../../src/lib/random.ts";

const request = 512 * 1024;
const depth = 4;
const [pairs = "5", mebibytes = "2048"] = process.argv.slice(2);
const size = Number(mebibytes) * 1024 ** 2;

using scratch = scratchFolder();
const file = openSync(scratch.path("disk.raw"), "w");
const piece = randomBytes(64 * 1024 * 1024);
for (let at = 0; at < size; at += piece.length) writeSync(file, piece);
closeSync(file);
const socketPath = scratch.path("nbd.sock");
await using _server = await startServer(
  "qemu-storage-daemon",
  [
    "--blockdev",
    `driver=file,node-name=disk,filename=${scratch.path("disk.raw")},read-only=on`,
    "--nbd-server",
    `addr.type=unix,addr.path=${socketPath},max-connections=16`,
    "--export",
    "type=nbd,id=x,node-name=disk,name=disk",
  ],
  socketPath,
);

const ratios: number[] = [];
console.log("| pair | nbdcopy MB/s | Holdfast MB/s | ratio |\n| --- | --- | --- | --- |");
for (let pair = 1; pair <= Number(pairs); pair += 1) {
  const peer = await seconds(() => {
    execFileSync("nbdcopy", [`nbd+unix:///disk?socket=${socketPath}`, "null:"]);
  });
  const ours = await seconds(readAll);
  ratios.push(peer / ours);
  const speed = (time: number): number => Math.round(size / time / 1e6);
  console.log(`| ${pair} | ${speed(peer)} | ${speed(ours)} | ${(peer / ours).toFixed(2)} |`);
}
console.log(`\nMedian ratio ${ratios.sort((a, b) => a - b)[ratios.length >> 1]?.toFixed(2)} (goal: at least 0.9).`);

async function readAll(): Promise<void> {
  await using client = await connectNbd({ socketPath, exportName: "disk" });
  let next = 0;
  const reader = async (): Promise<void> => {
    const buffer = Buffer.allocUnsafeSlow(request);
    for (let offset = next; offset < size; offset = next) {
      next += request;
      await client.read(buffer, offset);
    }
  };
  await Promise.all(Array.from({ length: depth }, reader));
}

async function seconds(run: () => Promise<void> | void): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}
