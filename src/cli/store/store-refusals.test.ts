// How the offline tool refuses: exit codes, one line that helps, keys that it does not take.

import assert from "node:assert/strict";
import { chmod, copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { makeDisk, storeToolIn, type StoreTool } from "./testing/store-tool.ts";

describe("./holdfast store, asked wrongly", () => {
  let folder: string;
  let vault: string;
  let disk: string;
  let key: string;
  let store: StoreTool;
  const path = (name: string): string => store.path(name);
  const tool = (...args: readonly string[]) => store.run(...args);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "store-refusals-"));
    store = storeToolIn(folder);
    vault = path("vault");
    disk = path("disk.raw");
    await makeDisk(disk);
    key = (await store.json<{ keyFile: string }>("init", "--store", vault)).keyFile;
    await store.json("add", "--store", vault, "--item", "Web 1", "--disk", `os=${disk}`);
  });
  after(() => rm(folder, { recursive: true }));

  it("gives each kind of failure its exit code and one line that helps", async () => {
    const cases: [string[], number, RegExp][] = [
      [["info", "--store", path("nowhere")], 3, /There is no folder/],
      [["info", "--store", "s3://user:secret@bucket"], 2, /credentials/],
      [["points"], 2, /--store/],
      [["points", "--store", vault, "--key", path("absent.key")], 3, /There is no key file/],
      [
        ["restore", "--store", vault, "--point", "no/latest", "--disk", "os", "--to", path("x")],
        3,
        /no recovery point/,
      ],
      [["restore", "--store", vault, "--point", "../x", "--disk", "os", "--to", path("x")], 3, /not the name/],
      [
        ["restore", "--store", vault, "--point", "Web 1/latest", "--disk", "nope", "--to", path("x")],
        3,
        /has no disk nope/,
      ],
      [["add", "--store", vault, "--item", "i", "--disk", "os"], 2, /name=FILE/],
      [["add", "--store", vault, "--item", "i", "--disk", `os=${path("absent")}`], 3, /There is no image/],
      [["add", "--store", vault, "--item", "i", "--disk", `os=${disk},format=qcow2`], 2, /no qcow2 image/],
      [["add", "--store", vault, "--item", "i", "--disk", `os=${disk}`, "--bitmap", "x"], 2, /--parent/],
      [["add", "--store", vault, "--item", "", "--disk", `os=${disk}`], 2, /item name/],
      [["add", "--store", vault, "--item", "i", "--disk", `os=${folder}`], 3, /is a folder, not an image/],
      [["init", "--store", disk], 2, /is a file; a store is a folder/],
      [["points", "--store", vault, "--key", folder], 3, /is no key file/],
      [
        ["restore", "--store", vault, "--point", "Web 1/latest", "--disk", "os", "--to", path("absent/x")],
        1,
        /There is no folder .*absent for x\. Make the folder/,
      ],
      [["copy", "--store", vault, "--to", join(vault, "..", "vault")], 2, /the place of the vault itself/],
      [["rekey", "--store", vault, "--remove", "absent"], 3, /has no key absent/],
    ];
    for (const [args, code, message] of cases) {
      const outcome = await tool(...args);
      assert.equal(outcome.code, code, `${args.join(" ")}: ${outcome.stderr}`);
      assert.match(outcome.stderr, message);
      assert.doesNotMatch(outcome.stderr, /secret/);
      assert.equal(outcome.stdout, "");
    }
  });

  it("refuses a key that others may read, and a key of another vault", async () => {
    const exposed = path("exposed.key");
    await copyFile(key, exposed);
    await chmod(exposed, 0o644);
    const refused = await tool("points", "--store", vault, "--key", exposed);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /644.*chmod 600/);
    const other = path("other.key");
    await writeFile(other, Buffer.alloc(32, 7), { mode: 0o600 });
    const wrong = await tool("points", "--store", vault, "--key", other);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /does not open vault/);
  });

  it("shows examples with --help", async () => {
    for (const command of [
      "init",
      "info",
      "points",
      "add",
      "restore",
      "copy",
      "mount",
      "collect",
      "diff",
      "verify",
      "rekey",
    ]) {
      const { stdout, code } = await tool(command, "--help");
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`Examples:\\n  ./holdfast store ${command} --store`));
    }
  });
});
