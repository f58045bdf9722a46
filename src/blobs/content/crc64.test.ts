import assert from "node:assert/strict";
import { test } from "node:test";
import { crc64 } from "./crc64.ts";

test("the checksum of the standard's check text, however it is cut", () => {
  for (const cut of [0, 3, 9]) {
    const sum = crc64();
    sum.update(Buffer.from("123456789".slice(0, cut)));
    sum.update(Buffer.from("123456789".slice(cut)));
    assert.equal(Buffer.from(sum.digest()).reverse().toString("hex"), "ae8b14860a799888");
  }
});
