// What an agent may say of a freeze, and what is claimed then. With a real guest: test/guests/freeze.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentChannel } from "./agent.ts";
import { agentErrors } from "./errors.ts";
import { defaultFreezeLimits, whileFrozen } from "./freeze.ts";

const named = ["guest-fsfreeze-freeze", "guest-fsfreeze-thaw", "guest-fsfreeze-status"];

/** An agent that may not start programs, so there is no watchdog. */
function agentThatSays(answers: { readonly freeze: unknown; readonly thaw: unknown }) {
  const asked: string[] = [];
  const answer = (name: string): unknown => {
    asked.push(name);
    if (name === "guest-info")
      return { version: "7.2", supported_commands: named.map((one) => ({ name: one, enabled: true })) };
    if (name === "guest-fsfreeze-status") return "thawed";
    const said = name === "guest-fsfreeze-freeze" ? answers.freeze : answers.thaw;
    if (said instanceof Error) throw said;
    return said;
  };
  const agent: AgentChannel = { command: async (name) => answer(name) };
  return { agent, asked };
}

const held = (fileSystems: number): object => ({ held: true, fileSystems, hasWatchdog: false });

for (const [what, answers, expected] of [
  ["all that was frozen is thawed", { freeze: 3, thaw: 3 }, held(3)],
  ["fewer are thawed than were frozen", { freeze: 3, thaw: 2 }, { held: false, reason: "ThawIncomplete" }],
  ["there is nothing to freeze", { freeze: 0, thaw: 0 }, { held: false, reason: "NothingToFreeze" }],
  ["the answer to the freeze is no number", { freeze: "three", thaw: 0 }, { held: false, reason: "FreezeUnanswered" }],
  [
    "the agent is gone before the thaw",
    { freeze: 3, thaw: agentErrors.AgentUnreachable("gone") },
    { held: false, reason: "ThawFailed" },
  ],
] as const) {
  test(`${what}: ${"reason" in expected ? expected.reason : "held"}, and a thaw was asked for after the freeze`, async () => {
    const { agent, asked } = agentThatSays(answers);
    const { value, outcome } = await whileFrozen(agent, defaultFreezeLimits, async () => "acted");
    assert.equal(value, "acted");
    assert.partialDeepStrictEqual(outcome, expected);
    assert.ok(asked.lastIndexOf("guest-fsfreeze-thaw") > asked.indexOf("guest-fsfreeze-freeze"));
  });
}

test("what fails while all stands still is thrown, and the guest is thawed first", async () => {
  const { agent, asked } = agentThatSays({ freeze: 3, thaw: 3 });
  const failing = whileFrozen(agent, defaultFreezeLimits, () => Promise.reject(new Error("no room")));
  await assert.rejects(failing, /no room/);
  assert.equal(asked.at(-1), "guest-fsfreeze-thaw");
});
