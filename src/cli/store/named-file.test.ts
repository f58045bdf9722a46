import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isErrorCode } from "../../lib/errors.ts";
import { checkDistinct, parseNamedImage } from "./named-file.ts";

describe("name=FILE", () => {
  it("takes a format at the end, and file names with commas and equals signs", () => {
    assert.deepEqual(parseNamedImage("os=/a.raw"), { name: "os", path: "/a.raw", format: "raw" });
    assert.deepEqual(parseNamedImage("os=/a.img,format=qcow2"), { name: "os", path: "/a.img", format: "qcow2" });
    assert.deepEqual(parseNamedImage("os=/a,b=c.raw"), { name: "os", path: "/a,b=c.raw", format: "raw" });
    assert.deepEqual(parseNamedImage("os=/x,format=y,format=vhd"), { name: "os", path: "/x,format=y", format: "vhd" });
  });

  it("refuses what has no name, no file, an unknown format, or a name twice", () => {
    for (const text of ["os", "=file", "os=", ""]) {
      assert.throws(
        () => parseNamedImage(text),
        (error) => isErrorCode(error, "UsageInvalid"),
        text,
      );
    }
    assert.throws(
      () => parseNamedImage("os=a,format=iso"),
      (error) => isErrorCode(error, "ImageFormatWrong"),
    );
    const twice = [parseNamedImage("os=a"), parseNamedImage("os=b")];
    assert.throws(
      () => checkDistinct("--disk", twice),
      (error) => isErrorCode(error, "UsageInvalid"),
    );
  });
});
