// The machine that the demo protects, whichever it is.

import { createHash } from "node:crypto";
import type { ServiceClient } from "../service-client.ts";

export interface DemoMachine {
  readonly name: string;
  /** What it is, for people. */
  readonly description: string;
  /** Properties of the host on which the service finds it. */
  readonly host: Readonly<Record<string, unknown>>;
  /** Writes something new onto its last disk. */
  change(round: number, ways: ChangeWays): Promise<DemoContent>;
  /** The last disk as it is now, to compare a restored one with. */
  readonly comparedDisk: { readonly path: string; readonly format: "raw" | "qcow2"; readonly lun: number };
  /** Ends what runs. */
  stop(): Promise<void>;
}

/** By which the demo reaches into a machine: through the service, as anybody would. */
export interface ChangeWays {
  readonly client: ServiceClient;
  readonly machineId: string;
}

export interface DemoContent {
  readonly sha256: string;
  readonly bytes: number;
  /** The file that holds it, where the machine has file systems. */
  readonly file: DemoFile | undefined;
}

export interface DemoFile {
  /** Of its file system. */
  readonly label: string;
  readonly path: string;
}

export const dataBytes = 4 * 1024 * 1024;

/** Compresses as what disks hold does, and is another one each round. */
export function demoContent(round: number): Buffer {
  const lines: string[] = [];
  for (let length = 0, line = 0; length < dataBytes; line += 1) {
    const text = `${round} ${line} ${createHash("sha256").update(`${round}/${line}`).digest("hex")}\n`;
    lines.push(text);
    length += text.length;
  }
  return Buffer.from(lines.join("")).subarray(0, dataBytes);
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
