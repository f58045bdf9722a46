// A fixed VHD is the raw disk with a footer behind it: what Azure takes as a disk.

import type { OpenFile } from "../../lib/files.ts";
import { systemClock } from "../../lib/clock.ts";
import { randomBytes } from "../../lib/random.ts";
import { imageErrors } from "./errors.ts";
import type { ImageLayout } from "./image-layout.ts";
import { fixedVhdFooter } from "./vhd-footer.ts";

const largestVhd = 2040 * 1024 ** 3;
const year2000 = Date.UTC(2000, 0, 1);

export async function vhdLayout(file: OpenFile, size: number): Promise<ImageLayout> {
  const whole = Math.ceil(size / 512) * 512;
  if (whole > largestVhd) {
    throw imageErrors.ImageTooLarge(`A disk of ${size} bytes does not fit into a VHD, which ends at 2040 GiB.`);
  }
  await file.truncate(whole);
  return {
    write: (from, offset) => file.write(from, offset),
    complete: () => {
      const seconds = Math.floor((systemClock.now() - year2000) / 1000);
      return file.write(fixedVhdFooter(whole, randomBytes(16), seconds), whole);
    },
  };
}
