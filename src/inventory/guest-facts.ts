// What a guest's agent tells of the guest. The guest is not trusted: every text is cut, every list
// bounded, and nothing of it is used but for showing.

import { z } from "zod";
import type { AgentChannel } from "../guest/agent.ts";
import { readCapabilities } from "../guest/capabilities.ts";
import { agentErrors } from "../guest/errors.ts";

export interface GuestFacts {
  readonly agentVersion: string;
  readonly osType: "Linux" | "Windows" | undefined;
  readonly osName: string;
  readonly osVersion: string;
  readonly hostName: string;
  readonly interfaces: readonly GuestInterface[];
  /** When the agent said so. */
  readonly at: number;
}

export interface GuestInterface {
  readonly name: string;
  readonly macAddress: string;
  readonly addresses: readonly string[];
}

const short = z.string().transform((text) => text.replaceAll(/\p{Cc}/gu, " ").slice(0, 200));
const osSchema = z.object({
  id: short.default(""),
  name: short.default(""),
  "version-id": short.default(""),
  version: short.default(""),
});
const hostNameSchema = z.object({ "host-name": short });
const interfacesSchema = z
  .array(
    z.object({
      name: short,
      "hardware-address": short.default(""),
      "ip-addresses": z.array(z.object({ "ip-address": short })).default([]),
    }),
  )
  .transform((list) => list.slice(0, 32));

export async function readGuestFacts(agent: AgentChannel, at: number, signal?: AbortSignal): Promise<GuestFacts> {
  const { version, commands } = await readCapabilities(agent, signal);
  const ask = async <T>(command: string, schema: z.ZodType<T>, otherwise: T): Promise<T> => {
    if (!commands.has(command)) return otherwise;
    const parsed = schema.safeParse(await agent.command(command, undefined, { signal }));
    if (!parsed.success)
      throw agentErrors.AgentMisbehaved(`The guest agent's answer to ${command} has the wrong shape.`, {
        cause: parsed.error,
      });
    return parsed.data;
  };
  const os = await ask("guest-get-osinfo", osSchema, undefined);
  const host = await ask("guest-get-host-name", hostNameSchema, undefined);
  const interfaces = await ask("guest-network-get-interfaces", interfacesSchema, []);
  return {
    agentVersion: version.replaceAll(/\p{Cc}/gu, " "),
    osType: os === undefined ? undefined : os.id === "mswindows" ? "Windows" : "Linux",
    osName: os?.id ?? "",
    osVersion: os?.["version-id"] || os?.version || "",
    hostName: host?.["host-name"] ?? "",
    interfaces: interfaces
      .filter(({ name }) => name !== "lo")
      .map((one) => ({
        name: one.name,
        macAddress: one["hardware-address"],
        addresses: one["ip-addresses"].slice(0, 16).map((address) => address["ip-address"]),
      })),
    at,
  };
}
