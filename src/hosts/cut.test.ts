import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentChannel } from "../guest/agent.ts";
import { agentErrors } from "../guest/errors.ts";
import { defineErrors } from "../lib/errors.ts";
import { cut } from "./cut.ts";

const names = ["guest-fsfreeze-freeze", "guest-fsfreeze-thaw", "guest-fsfreeze-status"];
const info = { version: "7.2", supported_commands: names.map((name) => ({ name, enabled: true })) };

/** A guest whose channel breaks with one command, a freeze carried out, a thaw not; the next connection is sound. */
function guest(breaksWith: string) {
  let isFrozen = false;
  let connections = 0;
  const withAgent = async <T>(use: (agent: AgentChannel) => Promise<T>): Promise<T> => {
    const isFirst = ++connections === 1;
    let isBroken = false;
    return use({
      command: async (name) => {
        if (isBroken) throw agentErrors.AgentUnreachable("The socket was closed.");
        isBroken = isFirst && name === breaksWith;
        if (isBroken && name === "guest-fsfreeze-thaw") throw agentErrors.AgentUnreachable("The socket was closed.");
        const answer = ((): unknown => {
          switch (name) {
            case "guest-info":
              return info;
            case "guest-fsfreeze-status":
              return isFrozen ? "frozen" : "thawed";
            case "guest-fsfreeze-freeze":
              isFrozen = true;
              return 2;
            case "guest-fsfreeze-thaw":
              isFrozen = false;
              return 2;
            default:
              throw agentErrors.AgentCommandUnavailable(name);
          }
        })();
        if (isBroken) throw agentErrors.AgentUnreachable("The socket was closed.");
        return answer;
      },
    });
  };
  return { withAgent, isFrozen: () => isFrozen };
}

test("a guest whose channel breaks when it is frozen is thawed by another one, and the snapshot is taken", async () => {
  const { withAgent, isFrozen } = guest("guest-fsfreeze-freeze");
  let cuts = 0;
  const { consistency } = await cut({ withAgent, isRunning: true }, "fileSystem", async () => void (cuts += 1));
  assert.equal(consistency.level === "crash" && consistency.reason, "FreezeUnanswered");
  assert.deepEqual([cuts, isFrozen()], [1, false]);
});

test("a snapshot that fails leaves no guest frozen, though its channel breaks with it", async () => {
  const { withAgent, isFrozen } = guest("guest-fsfreeze-thaw");
  const errors = defineErrors({ NoRoom: { status: 507 } });
  const fails = async (): Promise<void> => {
    assert.ok(isFrozen());
    throw errors.NoRoom("There is no room.");
  };
  await assert.rejects(cut({ withAgent, isRunning: true }, "fileSystem", fails), { code: "NoRoom" });
  assert.ok(!isFrozen());
});
