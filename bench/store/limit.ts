// The limit of what is possible: zero test, name hash, zstd-1 and AES-256-GCM over a disk, on all
// cores, without any store behind it. Prints seconds and what came out.
//
//   node bench/store/limit.ts A.raw

import { createCipheriv, createHmac, randomBytes } from "node:crypto";
import { openSync, readSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { constants, zstdCompressSync } from "node:zlib";

const block = 1024 * 1024;

if (isMainThread) {
  const path = process.argv[2];
  if (path === undefined) throw new Error("which disk? node bench/store/limit.ts A.raw");
  const cores = availableParallelism();
  // The faster of the two hashes that a vault may use on this machine.
  const hash = fasterHash();
  const start = performance.now();
  const sums = await Promise.all(
    Array.from(
      { length: cores },
      (_, index) =>
        new Promise<number>((resolve, reject) => {
          const worker = new Worker(new URL(import.meta.url), { workerData: { path, index, cores, hash } });
          worker.once("message", resolve);
          worker.once("error", reject);
        }),
    ),
  );
  const seconds = Math.round(performance.now() - start) / 1000;
  const bytesOut = sums.reduce((sum, bytes) => sum + bytes, 0);
  process.stdout.write(`${JSON.stringify({ seconds, bytesOut, hash, cores })}\n`);
} else {
  const { path, index, cores, hash } = workerData as { path: string; index: number; cores: number; hash: string };
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(chain(path, index, cores, hash));
}

function chain(path: string, index: number, cores: number, hash: string): number {
  const file = openSync(path, "r");
  const { size } = statSync(path);
  const content = Buffer.alloc(block);
  const zeroes = Buffer.alloc(block);
  const key = randomBytes(32);
  let bytesOut = 0;
  for (let offset = index * block; offset < size; offset += cores * block) {
    const piece = content.subarray(0, readSync(file, content, 0, block, offset));
    if (piece.equals(zeroes.subarray(0, piece.length))) continue;
    createHmac(hash, key).update(piece).digest();
    const packed = zstdCompressSync(piece, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
    const nonce = Buffer.alloc(12);
    nonce.writeUIntBE(offset, 6, 6);
    const cipher = createCipheriv("aes-256-gcm", key, nonce);
    bytesOut += cipher.update(packed.length < piece.length ? packed : piece).length + cipher.final().length + 16;
  }
  return bytesOut;
}

function fasterHash(): string {
  const sample = randomBytes(8 * block);
  const seconds = (hash: string): number => {
    const start = performance.now();
    createHmac(hash, "key").update(sample).digest();
    return performance.now() - start;
  };
  const names = ["sha256", "blake2b512"];
  names.forEach(seconds); // the first run of each loads it
  return names.sort((one, other) => seconds(one) - seconds(other))[0] ?? "sha256";
}
