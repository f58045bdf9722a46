// Every `sh` block of the README and the manual runs, in order, in one shell with a service. The README's run
// as a newcomer's do, with the az of this machine; those of the other pages with az's modules read once.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { azEnvironment, azOfShells } from "../support/az.ts";
import { projectRoot, startTestService, type TestService } from "../support/service.ts";

const execute = promisify(execFile);
const pages = ["README.md", "docs/service.md", "docs/hosts.md", "docs/vaults.md", "docs/policies.md", "docs/manual.md"];
let service: TestService;
let temporary: string;
let quickAz: Record<string, string> | undefined;

before(async () => {
  service = await startTestService();
  temporary = await mkdtemp(join(tmpdir(), "holdfast-docs-"));
});

after(async () => {
  await service[Symbol.asyncDispose]();
  await rm(temporary, { recursive: true });
});

for (const page of pages) {
  test(`the commands of ${page} work`, async () => {
    const text = await readFile(join(projectRoot, page), "utf8");
    const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);
    assert.ok(blocks.length > 0, "the page has commands");
    const isReadme = page === "README.md";
    const prelude = `set -eu\n${isReadme ? "" : 'eval "$(./holdfast az-env)"\n'}`;
    const az = isReadme ? {} : (quickAz ??= await azOfShells(await azEnvironment(service)));
    const { stdout } = await execute("bash", ["-c", prelude + blocks.join("\n")], {
      cwd: projectRoot,
      env: { ...process.env, ...az, HOLDFAST_DATA: service.data, TMPDIR: temporary },
    });
    assert.notEqual(stdout, "");
  });
}
