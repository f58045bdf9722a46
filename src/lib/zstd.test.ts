import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { createCompressor, createDecompressor, frameBound } from "./zstd.ts";

const contents = [Buffer.from("a"), Buffer.alloc(262_144), randomBytes(262_144), Buffer.from("pages ".repeat(40_000))];

test("frames are those of the one-shot functions, one after the other", () => {
  const compressor = createCompressor({ level: 1 });
  const into = Buffer.alloc(frameBound(262_144));
  for (const content of [...contents, ...contents]) {
    const frame = into.subarray(0, compressor.compress(content, into));
    assert.ok(frame.equals(zstdCompressSync(content, { params: { [constants.ZSTD_c_compressionLevel]: 1 } })));
    assert.ok(zstdDecompressSync(frame).equals(content));
  }
});

test("short repetitions are left alone when that is asked for", () => {
  const words = Array.from({ length: 4096 }, (_, index) => `${"abcde"[index % 5] ?? ""}-${index % 7}-word`);
  const content = Buffer.concat(words.flatMap((word) => [Buffer.from(word.slice(0, 6)), randomBytes(8)]));
  const into = Buffer.alloc(frameBound(content.length));
  const [short, long] = ([4, 7] as const).map((minMatch) => {
    const length = createCompressor({ level: 1, minMatch }).compress(content, into);
    assert.ok(zstdDecompressSync(into.subarray(0, length)).equals(content));
    return length;
  });
  assert.ok((short ?? 0) < (long ?? 0), `${short} bytes with matches of 4, ${long} with matches of 7`);
});

test("what is not one whole frame is refused, and the next frame opens", () => {
  const decompressor = createDecompressor();
  const content = Buffer.from("pages ".repeat(40_000));
  const frame = zstdCompressSync(content);
  const into = Buffer.alloc(content.length + 1);
  const wrong = [
    frame.subarray(0, -1),
    frame.subarray(0, 4),
    Buffer.alloc(0),
    Buffer.concat([frame, Buffer.from("x")]),
    Buffer.concat([frame, frame]),
    Buffer.from("no frame at all"),
    zstdCompressSync(Buffer.alloc(into.length)),
    zstdCompressSync(Buffer.alloc(50_000_000)),
  ];
  for (const bytes of wrong) {
    assert.throws(() => decompressor.decompress(bytes, into), RangeError);
    assert.equal(decompressor.decompress(frame, into), content.length);
    assert.ok(into.subarray(0, content.length).equals(content));
  }
});

test("a frame that does not fit is not written half", () => {
  const compressor = createCompressor({ level: 1 });
  assert.throws(() => compressor.compress(randomBytes(1000), Buffer.alloc(500)), RangeError);
});
