import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { scratchFolder } from "../../nbd/testing/tools.ts";
import { prepareFirmware } from "./choose-firmware.ts";
import { emptyVariables } from "./testing/variables.ts";

const half = 512 * 1024;

interface Described {
  readonly features?: readonly string[];
  readonly architecture?: string;
  readonly size?: number;
  readonly device?: string;
}

test("a machine gets the firmware that its variables fit, and variables to begin with when it has none", async () => {
  using scratch = scratchFolder();
  const folders = [scratch.path("etc"), scratch.path("usr"), scratch.path("absent")] as const;
  for (const folder of folders.slice(0, 2)) mkdirSync(folder);
  const describe = (folder: string, name: string, { features = [], size = half, ...more }: Described): string => {
    const [code, template] = [`${folder}/${name}.code`, `${folder}/${name}.vars`];
    writeFileSync(code, name);
    writeFileSync(template, emptyVariables(size));
    const file = (filename: string) => ({ filename, format: "raw" });
    const mapping = { device: more.device ?? "flash", executable: file(code), "nvram-template": file(template) };
    const targets = [{ architecture: more.architecture ?? "x86_64", machines: ["pc-i440fx-*", "pc-q35-*"] }];
    const content = { "interface-types": ["uefi"], mapping, targets, features };
    writeFileSync(`${folder}/${name}.json`, JSON.stringify(content));
    return code;
  };
  const [etc, usr] = folders;
  describe(usr, "10-arm", { architecture: "aarch64" });
  describe(usr, "11-memory", { device: "memory" });
  writeFileSync(`${usr}/12-broken.json`, "{");
  const secure = describe(usr, "40-secure", { features: ["secure-boot", "requires-smm"] });
  const small = describe(usr, "50-small", { size: half / 4 });
  describe(usr, "60-plain", {});
  const plain = describe(etc, "60-plain", {});

  const own = scratch.path("own");
  const prepare = (variablesPath: string, isSecureBoot = false) =>
    prepareFirmware({ variablesPath, isSecureBoot }, undefined, folders);
  assert.deepEqual(await prepare(own), { path: small, format: "raw" });
  assert.ok(readFileSync(own).equals(emptyVariables(half / 4)));

  const kept = emptyVariables(half);
  kept.write("a boot entry", 4096);
  writeFileSync(own, kept);
  assert.deepEqual(await prepare(own), { path: plain, format: "raw" }, "the administrator's description counts");
  assert.deepEqual(await prepare(own, true), { path: secure, format: "raw" });
  assert.ok(readFileSync(own).equals(kept));

  writeFileSync(own, emptyVariables(4096));
  await assert.rejects(prepare(own, true), { code: "FirmwareMissing", message: /Secure Boot .* take 4096 bytes/ });
});
