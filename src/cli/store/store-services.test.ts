// The same tool on vaults in an Azure Blob container and in an S3 bucket, and between them.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { startAzurite, type Azurite } from "../../store/backends/testing/azurite.ts";
import { startS3Server, type S3Server } from "../../store/backends/testing/s3rver.ts";
import { projectRoot } from "../project.ts";

const runFile = promisify(execFile);

describe("./holdfast store on services", () => {
  let folder: string;
  let azurite: Azurite;
  let s3: S3Server;
  let disk: Buffer;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "store-services-"));
    [azurite, s3] = await Promise.all([startAzurite(), startS3Server()]);
    await Promise.all([azurite.newContainer("vaults"), s3.newBucket("vaults")]);
    disk = Buffer.concat([randomBytes(5_000_000), Buffer.alloc(3_000_000), randomBytes(192_000)]);
    await writeFile(join(folder, "disk.raw"), disk);
  });
  after(async () => {
    await Promise.all([azurite.close(), s3.close()]);
    await rm(folder, { recursive: true });
  });

  async function tool(...args: readonly string[]): Promise<unknown> {
    const env = {
      ...process.env,
      XDG_CONFIG_HOME: folder,
      AZURE_STORAGE_KEY: azurite.key,
      AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
    };
    const { stdout } = await runFile(join(projectRoot, "holdfast"), ["store", ...args, "--json"], { env });
    return JSON.parse(stdout);
  }

  const azblob = () => `azblob://${azurite.account}/vaults/a?endpoint=${encodeURIComponent(azurite.endpoint)}`;
  const bucket = () =>
    `s3://vaults/b?endpoint=${encodeURIComponent(s3.endpoint)}&checksums=md5&conditionalPut=emulated`;

  async function restored(store: string, item: string): Promise<Buffer> {
    const target = join(folder, `${item}.raw`);
    await tool("restore", "--store", store, "--point", `${item}/latest`, "--disk", "os", "--to", target, "--overwrite");
    return readFile(target);
  }

  for (const [name, location] of [
    ["azblob", azblob],
    ["s3", bucket],
  ] as const) {
    it(`makes, fills, verifies and restores a vault in ${name}`, async () => {
      const store = location();
      await tool("init", "--store", store);
      const first = ["--item", name, "--disk", `os=${join(folder, "disk.raw")}`];
      await tool("add", "--store", store, ...first);
      const again = (await tool("add", "--store", store, ...first, "--parent", "latest")) as { bytesNew: number };
      assert.equal(again.bytesNew, 0);
      assert.ok((await restored(store, name)).equals(disk));
      await tool("verify", "--store", store);
      await tool("scrub", "--store", store);
      await tool("collect", "--store", store);
    });
  }

  it("copies a vault from a container to a folder, which restores without the container", async () => {
    const copy = join(folder, "copy");
    await tool("copy", "--store", azblob(), "--to", copy);
    assert.ok((await restored(copy, "azblob")).equals(disk));
  });
});
