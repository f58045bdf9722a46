import assert from "node:assert/strict";
import { test } from "node:test";
import { metadataOfChange } from "../../bench/store/scale/metadata.ts";

test("a point in which 1 % of the pages changed costs less than 1 % of them in metadata", async () => {
  const { data, metadata } = await metadataOfChange(512 * 1024 * 1024, 0.01);
  assert.ok(metadata > 0 && metadata < data / 100, `${metadata} bytes for ${data}`);
});
