// The tiny guest with what the tests need in it, kept in .cache/ of the checkout.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tinyGuest, type TinyGuest } from "../../src/tiny-guest/tiny-guest.ts";

const here = import.meta.dirname;
let built: Promise<TinyGuest> | undefined;

export function guestImage(): Promise<TinyGuest> {
  built ??= tinyGuest({
    cache: join(here, "..", "..", ".cache", "guests"),
    programs: { "usr/local/bin/counter": compiledCounter() },
  });
  return built;
}

/** Writes a counter to two disks in turn, each write acknowledged before the next. */
function compiledCounter(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-counter-"));
  try {
    const program = join(folder, "counter");
    execFileSync("gcc", ["-O2", "-static", "-o", program, join(here, "files/counter.c")]);
    return readFileSync(program);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
