import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentChannel } from "../guest/agent.ts";
import { readGuestFacts } from "./guest-facts.ts";

/** An agent that answers from a table. */
function agentSaying(answers: Readonly<Record<string, unknown>>): AgentChannel {
  const commands = Object.keys(answers).map((name) => ({ name, enabled: true }));
  return {
    command: async (name) =>
      name === "guest-info" ? { version: "7.2\u001b[2J", supported_commands: commands } : answers[name],
  };
}

test("what a guest says of itself is cut, counted and cleaned of control characters", async () => {
  const facts = await readGuestFacts(
    agentSaying({
      "guest-get-osinfo": { id: "debian", "version-id": "12", name: "Debian" },
      "guest-get-host-name": { "host-name": `web\u0007\r\n${"x".repeat(10_000)}` },
      "guest-network-get-interfaces": [
        { name: "lo", "ip-addresses": [{ "ip-address": "127.0.0.1" }] },
        ...Array.from({ length: 500 }, (_, number) => ({
          name: `eth${number}`,
          "hardware-address": "52:54:00:00:00:01",
          "ip-addresses": Array.from({ length: 500 }, () => ({ "ip-address": "10.0.0.1" })),
        })),
      ],
    }),
    7,
  );
  assert.deepEqual([facts.osType, facts.osName, facts.osVersion, facts.at], ["Linux", "debian", "12", 7]);
  assert.ok(JSON.stringify(facts).length < 64 * 1024);
  assert.doesNotMatch(facts.hostName + facts.agentVersion, /\p{Cc}/u);
  assert.equal(facts.interfaces[0]?.name, "eth0");
});

test("an agent that may say little is asked for no more, one that answers nonsense is named", async () => {
  const facts = await readGuestFacts(agentSaying({}), 0);
  assert.deepEqual([facts.osType, facts.hostName, facts.interfaces], [undefined, "", []]);
  await assert.rejects(readGuestFacts(agentSaying({ "guest-get-host-name": { "host-name": 7 } }), 0), {
    name: "AgentMisbehaved",
  });
});

test("a Windows guest is told by its system's id", async () => {
  const { osType } = await readGuestFacts(agentSaying({ "guest-get-osinfo": { id: "mswindows" } }), 0);
  assert.equal(osType, "Windows");
});
