import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { kvmRunsGuests, workingAccelerator } from "./accelerator.ts";

test("KVM is chosen exactly where a machine boots under it", async () => {
  const works = await kvmRunsGuests();
  assert.equal(await workingAccelerator(), works ? "kvm" : "tcg");
  if (!existsSync("/dev/kvm")) assert.equal(works, false);
});
