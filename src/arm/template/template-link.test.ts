import assert from "node:assert/strict";
import { test } from "node:test";
import { fromPlain, type JsonObject, toPlain } from "../relaxed-json/json.ts";
import { loadParameters, loadTemplateOf } from "./nested.ts";
import { openLink } from "./template-link.ts";

const template = '{"$schema": "https://x/deploymentTemplate.json#", "contentVersion": "1.0.0.0", "parameters": {}}';
const linkOf = (link: object): JsonObject => fromPlain(link) as JsonObject;

test("the query of a link opens the template and what is named relative to it, and is never shown", async () => {
  const asked: string[] = [];
  const host = {
    loadTemplate: async (uri: string) => {
      asked.push(uri);
      return template;
    },
  };
  const { signal } = new AbortController();
  const link = linkOf({ uri: "https://x.test/t/main.json", queryString: "?sv=1&sig=secret" });
  const { link: parent } = await loadTemplateOf(linkOf({}), link, undefined, host, signal);
  assert.ok(parent);
  const child = linkOf({ relativePath: "parts/child.json" });
  const { link: inner } = await loadTemplateOf(linkOf({}), child, parent, host, signal);
  await loadParameters(linkOf({ relativePath: "other.json" }), inner, host, signal);
  assert.deepEqual(asked, [
    "https://x.test/t/main.json?sv=1&sig=secret",
    "https://x.test/t/parts/child.json?sv=1&sig=secret",
    "https://x.test/t/parts/other.json?sv=1&sig=secret",
  ]);
  assert.deepEqual(toPlain(openLink(parent)), { uri: "https://x.test/t/main.json", contentVersion: "1.0.0.0" });
});
