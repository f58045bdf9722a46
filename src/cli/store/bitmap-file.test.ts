import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { isErrorCode } from "../../lib/errors.ts";
import { readBitmapFile } from "./bitmap-file.ts";

describe("bitmap files", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "bitmap-"));
  });
  after(() => rm(folder, { recursive: true }));

  const read = async (text: string, size = 1_000_000) => {
    const path = join(folder, "bitmap");
    await writeFile(path, text);
    return readBitmapFile(path, size);
  };

  it("reads a JSON list of runs, sorted and joined", async () => {
    const text =
      '[{"offset":65536,"length":65536},{"offset":0,"length":100},{"offset":131072,"length":5},{"offset":7,"length":0}]';
    assert.deepEqual(await read(text), [
      { offset: 0, length: 100 },
      { offset: 65536, length: 65541 },
    ]);
    assert.deepEqual(await read("[]"), []);
  });

  it("reads what nbdinfo prints of a dirty bitmap, as JSON and as text", async () => {
    const expected = [{ offset: 65536, length: 131072 }];
    const json =
      '[{ "offset": 0, "length": 65536, "type": 0, "description": "clean" },\n{ "offset": 65536, "length": 131072, "type": 1, "description": "dirty" },\n{ "offset": 196608, "length": 3392, "type": 0 }]';
    assert.deepEqual(await read(json), expected);
    const text =
      "         0       65536    0  clean\n     65536      131072    1  dirty\n    196608        3392    0  clean\n";
    assert.deepEqual(await read(text), expected);
  });

  it("refuses what is no bitmap of this disk", async () => {
    const wrong = [
      '[{"offset":999999,"length":2}]',
      '[{"offset":-1,"length":2}]',
      '[{"offset":1.5,"length":2}]',
      '[{"offset":"0","length":2}]',
      "[{]",
      '{"offset":0,"length":1}',
      "0 hello 1 dirty",
      "99999999999999999999 1 1",
      "999999 2 1 dirty",
    ];
    for (const text of wrong) {
      await assert.rejects(read(text), (error) => isErrorCode(error, "BitmapInvalid"), text);
    }
    await assert.rejects(readBitmapFile(join(folder, "absent"), 1), (error) => isErrorCode(error, "BitmapInvalid"));
  });
});
