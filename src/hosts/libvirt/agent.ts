// A guest's agent by way of libvirt, which owns its channel and keeps it synchronised.

import type { CommandOptions, GuestAgent } from "../../guest/agent.ts";
import { agentErrors } from "../../guest/errors.ts";
import { HoldfastError } from "../../lib/errors.ts";
import type { Virsh } from "./virsh.ts";

const defaultTimeout = 10_000;
/** What the client itself takes to connect, on a busy host. */
const connectMilliseconds = 20_000;

export function openLibvirtAgent(virsh: Virsh, domainId: string): GuestAgent {
  let isClosed = false;
  let turn: Promise<unknown> = Promise.resolve();
  const exchange = async (
    name: string,
    args: Readonly<Record<string, unknown>> | undefined,
    { timeoutMilliseconds = defaultTimeout, signal }: CommandOptions,
  ): Promise<unknown> => {
    signal?.throwIfAborted();
    if (isClosed) throw agentErrors.AgentUnreachable(`The connection to the agent of ${domainId} was closed.`);
    // A quote can only stand inside a JSON string, where it may be written as its number.
    const question = JSON.stringify({ execute: name, arguments: args }).replaceAll("'", "\\u0027");
    const seconds = String(Math.max(1, Math.ceil(timeoutMilliseconds / 1000)));
    let answer: string;
    try {
      answer = await virsh.whisper(["qemu-agent-command", domainId, "--timeout", seconds], question, {
        timeoutMilliseconds: timeoutMilliseconds + connectMilliseconds,
        signal,
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw asAgentError(name, domainId, error);
    }
    const reply = parse(answer);
    if (reply === undefined)
      throw agentErrors.AgentMisbehaved(`The guest agent's answer to ${name} is not what an agent says.`);
    return reply.return;
  };
  return {
    command: (name, args, options = {}) => {
      const run = (): Promise<unknown> => exchange(name, args, options);
      const mine = turn.then(run, run);
      turn = mine.catch(() => {});
      return mine;
    },
    close: () => void (isClosed = true),
    [Symbol.dispose]: () => void (isClosed = true),
  };
}

function parse(answer: string): { return: unknown } | undefined {
  try {
    const reply: unknown = JSON.parse(answer);
    return typeof reply === "object" && reply !== null && "return" in reply ? reply : undefined;
  } catch {
    return undefined;
  }
}

function asAgentError(name: string, domainId: string, error: unknown): unknown {
  if (!(error instanceof HoldfastError)) return error;
  const facts = { command: name };
  const options = { cause: error, facts };
  if (error.code === "ProgramTimedOut" || /not responding|timeout|timed out/i.test(error.message)) {
    return /not connected/i.test(error.message)
      ? agentErrors.AgentUnreachable(`No guest agent can be reached in ${domainId}.`, options)
      : agentErrors.AgentUnresponsive(`The guest agent of ${domainId} did not answer ${name}.`, options);
  }
  const said = /unable to execute QEMU agent command '[^']*': ([^]*)/.exec(error.message)?.[1];
  if (said !== undefined) {
    return /has not been found|has been disabled/.test(said)
      ? agentErrors.AgentCommandUnavailable(`The guest agent does not do ${name}: ${said}`, options)
      : agentErrors.AgentCommandFailed(`The guest agent failed ${name}: ${said}`, options);
  }
  if (/agent is not (?:available|configured)|not running/i.test(error.message))
    return agentErrors.AgentUnreachable(`No guest agent can be reached in ${domainId}.`, options);
  return error;
}
