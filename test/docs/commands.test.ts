// Every `sh` block of the README and the manual runs, in order, in one shell with a service.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { projectRoot, startTestService, type TestService } from "../support/service.ts";

const execute = promisify(execFile);
const pages = ["README.md", "docs/service.md", "docs/hosts.md", "docs/vaults.md", "docs/policies.md", "docs/manual.md"];
let service: TestService;

before(async () => {
  service = await startTestService();
});

after(() => service[Symbol.asyncDispose]());

for (const page of pages) {
  test(`the commands of ${page} work`, async () => {
    const text = await readFile(join(projectRoot, page), "utf8");
    const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);
    assert.ok(blocks.length > 0, "the page has commands");
    const prelude = `set -eu\n${page === "README.md" ? "" : 'eval "$(./holdfast az-env)"\n'}`;
    const { stdout } = await execute("bash", ["-c", prelude + blocks.join("\n")], {
      cwd: projectRoot,
      env: { ...process.env, HOLDFAST_DATA: service.data },
    });
    assert.notEqual(stdout, "");
  });
}
