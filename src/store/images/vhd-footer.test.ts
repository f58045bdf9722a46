import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checksum, fixedVhdFooter, vhdGeometry } from "./vhd-footer.ts";

describe("the footer of a fixed VHD", () => {
  it("stands as the specification says", () => {
    const footer = fixedVhdFooter(1024 ** 3, Buffer.alloc(16, 0xab), 1);
    assert.equal(footer.length, 512);
    assert.equal(footer.toString("latin1", 0, 8), "conectix");
    assert.equal(footer.readUInt32BE(60), 2);
    assert.equal(footer.readBigUInt64BE(48), BigInt(1024 ** 3));
    assert.equal(footer.readBigUInt64BE(16), 0xffffffffffffffffn);
    const sum = footer.reduce((total, byte) => total + byte, 0);
    const own = footer.subarray(64, 68).reduce((total, byte) => total + byte, 0);
    assert.equal(footer.readUInt32BE(64), ~(sum - own) >>> 0);
    assert.equal(checksum(footer), footer.readUInt32BE(64));
  });

  it("gives the geometries that the specification's algorithm gives", () => {
    // Worked by hand from the appendix; the last is the largest that CHS can say.
    assert.deepEqual(vhdGeometry(20 * 1024 ** 2), { cylinders: 602, heads: 4, sectorsPerTrack: 17 });
    assert.deepEqual(vhdGeometry(1024 ** 3), { cylinders: 2080, heads: 16, sectorsPerTrack: 63 });
    assert.deepEqual(vhdGeometry(500 * 1024 ** 3), { cylinders: 65535, heads: 16, sectorsPerTrack: 255 });
  });
});
