// Small files into and out of the guest, through the agent: about 2 MB/s, for control data only.

import { z } from "zod";
import type { AgentChannel } from "./agent.ts";
import { checked } from "./capabilities.ts";
import { agentErrors } from "./errors.ts";

const handleSchema = z.number().int();
const readSchema = z.object({
  count: z.number().int().nonnegative(),
  "buf-b64": z.string().max(1024 * 1024),
  eof: z.boolean(),
});
const piece = 48 * 1024;

export async function writeGuestFile(
  agent: AgentChannel,
  path: string,
  content: Uint8Array | string,
  signal?: AbortSignal,
): Promise<void> {
  const bytes = Buffer.from(content);
  await withFile(agent, path, "w", signal, async (handle) => {
    for (let at = 0; at < bytes.length; at += piece) {
      const part = bytes.subarray(at, at + piece).toString("base64");
      await agent.command("guest-file-write", { handle, "buf-b64": part }, { signal });
    }
    await agent.command("guest-file-flush", { handle }, { signal });
  });
}

export async function readGuestFile(
  agent: AgentChannel,
  path: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  let total = 0;
  await withFile(agent, path, "r", signal, async (handle) => {
    for (;;) {
      const answer = await agent.command("guest-file-read", { handle, count: piece }, { signal });
      const read = checked(readSchema, answer, "guest-file-read");
      const part = Buffer.from(read["buf-b64"], "base64");
      total += part.length;
      if (total > maxBytes)
        throw agentErrors.GuestOutputTooLarge(`${path} in the guest is larger than ${maxBytes} bytes.`);
      parts.push(part);
      if (read.eof || part.length === 0) return;
    }
  });
  return Buffer.concat(parts);
}

async function withFile(
  agent: AgentChannel,
  path: string,
  mode: "r" | "w",
  signal: AbortSignal | undefined,
  use: (handle: number) => Promise<void>,
): Promise<void> {
  const handle = checked(
    handleSchema,
    await agent.command("guest-file-open", { path, mode }, { signal }),
    "guest-file-open",
  );
  try {
    await use(handle);
  } finally {
    await agent.command("guest-file-close", { handle }, {});
  }
}
