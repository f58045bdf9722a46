import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../relaxed-json/json.ts";
import { noPositions } from "../relaxed-json/positions.ts";
import { resolveSecrets } from "./nested.ts";
import { readParameters } from "./parameters.ts";
import type { Template } from "./template.ts";

test("a secret of a key vault is shown nowhere, whatever type its parameter has", async () => {
  const template = (type: string): Template =>
    ({ parameters: { pw: { type } }, definitions: {}, positions: noPositions }) as unknown as Template;
  const reference = { keyVault: { id: "/vault" }, secretName: "pw" };
  const given = { pw: { reference } } as unknown as JsonObject;
  const resolved = await resolveSecrets(given, { secret: async () => "hush-hush" }, AbortSignal.timeout(10_000));
  assert.equal(readParameters(template("string"), resolved).get("pw")?.isSecure, true);
  assert.throws(
    () => readParameters(template("int"), resolved),
    (error: Error) => /'pw'/.test(error.message) && !error.message.includes("hush-hush"),
  );
});
