// What the agent of a guest can do, asked before it is relied on: distributions switch parts off.

import { z } from "zod";
import type { AgentChannel } from "./agent.ts";
import { agentErrors } from "./errors.ts";

export interface AgentCapabilities {
  readonly version: string;
  /** Commands that are there and allowed. */
  readonly commands: ReadonlySet<string>;
}

const infoSchema = z.object({
  version: z.string().max(200),
  supported_commands: z.array(z.object({ name: z.string().max(200), enabled: z.boolean() })).max(1000),
});

export async function readCapabilities(agent: AgentChannel, signal?: AbortSignal): Promise<AgentCapabilities> {
  const info = checked(infoSchema, await agent.command("guest-info", undefined, { signal }), "guest-info");
  const commands = new Set(info.supported_commands.filter(({ enabled }) => enabled).map(({ name }) => name));
  return { version: info.version, commands };
}

/** The answer of an agent in the shape that it must have. */
export function checked<T>(schema: z.ZodType<T>, answer: unknown, command: string): T {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  throw agentErrors.AgentMisbehaved(`The guest agent's answer to ${command} has the wrong shape.`, {
    cause: result.error,
  });
}
