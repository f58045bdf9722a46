// Writes qcow2 version 3 in one go: clusters are taken in the order in which content arrives, the
// tables follow at the end, and the header comes last, so that a file that broke off is no image.

import type { OpenFile } from "../../lib/files.ts";
import type { ImageLayout } from "./image-layout.ts";

const headerLength = 104;
/** Set in an entry whose cluster has one reference and may be written in place. */
const copied = 1n << 63n;
/** Tables of a disk that is full stay below this in memory. */
const tableMemory = 64 * 1024 * 1024;

export async function qcow2Layout(file: OpenFile, diskSize: number): Promise<ImageLayout> {
  const size = Math.ceil(diskSize / 512) * 512;
  const clusterBits = chooseClusterBits(size);
  const cluster = 2 ** clusterBits;
  const entriesPerTable = cluster / 8;
  const tables = new Map<number, BigUint64Array>();
  const l1Entries = Math.max(1, Math.ceil(size / (cluster * entriesPerTable)));
  const l1Clusters = Math.ceil((l1Entries * 8) / cluster);
  // Cluster 0 is the header, the L1 table follows.
  let used = 1 + l1Clusters;

  /** Where a cluster of the disk is in the file; taken now if it has no place yet. */
  function place(guestCluster: number): number {
    const number = Math.floor(guestCluster / entriesPerTable);
    let table = tables.get(number);
    if (table === undefined) {
      table = new BigUint64Array(entriesPerTable);
      tables.set(number, table);
    }
    const slot = guestCluster % entriesPerTable;
    const known = table[slot] ?? 0n;
    if (known !== 0n) return Number(known);
    const host = used * cluster;
    used += 1;
    table[slot] = BigInt(host);
    return host;
  }

  async function write(from: Uint8Array, offset: number): Promise<void> {
    let at = 0;
    while (at < from.length) {
      const position = offset + at;
      const within = position % cluster;
      const host = place(Math.floor(position / cluster)) + within;
      let length = Math.min(cluster - within, from.length - at);
      // Clusters that happen to lie one behind the other go out in one write.
      while (at + length < from.length) {
        const next = place(Math.floor((offset + at + length) / cluster));
        if (next !== host + length) break;
        length = Math.min(length + cluster, from.length - at);
      }
      await file.write(from.subarray(at, at + length), host);
      at += length;
    }
  }

  async function complete(): Promise<void> {
    const l1 = Buffer.alloc(l1Clusters * cluster);
    for (const [number, table] of [...tables].sort(([one], [other]) => one - other)) {
      const host = used * cluster;
      used += 1;
      const bytes = Buffer.alloc(cluster);
      table.forEach((entry, slot) => {
        if (entry !== 0n) bytes.writeBigUInt64BE(entry | copied, slot * 8);
      });
      await file.write(bytes, host);
      l1.writeBigUInt64BE(BigInt(host) | copied, number * 8);
    }
    await file.write(l1, cluster);
    const refcounts = await writeRefcounts();
    await file.truncate(used * cluster);
    await file.sync();
    await file.write(header(refcounts), 0);
  }

  /** Every cluster of the file has one reference, those of the refcount tables too. */
  async function writeRefcounts(): Promise<{ offset: number; clusters: number }> {
    const perBlock = cluster / 2;
    const blocksPerTableCluster = cluster / 8;
    let blocks = 0;
    let tableClusters = 0;
    for (let needed = 1; needed > blocks;) {
      blocks = needed;
      tableClusters = Math.ceil(blocks / blocksPerTableCluster);
      needed = Math.ceil((used + blocks + tableClusters) / perBlock);
    }
    const tableOffset = used * cluster;
    const firstBlock = used + tableClusters;
    const total = firstBlock + blocks;
    const table = Buffer.alloc(tableClusters * cluster);
    for (let block = 0; block < blocks; block += 1) {
      const host = (firstBlock + block) * cluster;
      table.writeBigUInt64BE(BigInt(host), block * 8);
      const counts = Buffer.alloc(cluster);
      const counted = Math.min(perBlock, total - block * perBlock);
      for (let index = 0; index < counted; index += 1) counts.writeUInt16BE(1, index * 2);
      await file.write(counts, host);
    }
    await file.write(table, tableOffset);
    used = total;
    return { offset: tableOffset, clusters: tableClusters };
  }

  function header(refcounts: { offset: number; clusters: number }): Buffer {
    const bytes = Buffer.alloc(headerLength + 8); // the end of the header extensions is 8 zero bytes
    bytes.write("QFI\xfb", 0, "latin1");
    bytes.writeUInt32BE(3, 4);
    bytes.writeUInt32BE(clusterBits, 20);
    bytes.writeBigUInt64BE(BigInt(size), 24);
    bytes.writeUInt32BE(l1Entries, 36);
    bytes.writeBigUInt64BE(BigInt(cluster), 40);
    bytes.writeBigUInt64BE(BigInt(refcounts.offset), 48);
    bytes.writeUInt32BE(refcounts.clusters, 56);
    bytes.writeUInt32BE(4, 96); // refcounts of 2^4 bits
    bytes.writeUInt32BE(headerLength, 100);
    return bytes;
  }

  return { write, complete };
}

/** 64 KiB as QEMU does, larger for disks whose tables would take too much memory. */
function chooseClusterBits(size: number): number {
  let bits = 16;
  while (bits < 21 && (size / 2 ** bits) * 8 > tableMemory) bits += 1;
  return bits;
}
