// The UEFI variables of a machine of libvirt: read while it runs and while it is off, as a file and through
// libvirt's storage, and kept when it is given up.

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { throughStorage } from "../../src/hosts/libvirt/firmware.ts";
import { openLibvirtHost } from "../../src/hosts/libvirt/host.ts";
import { openVirsh } from "../../src/hosts/libvirt/virsh.ts";
import type { Uefi } from "../../src/hosts/firmware/variables.ts";
import { newGuid } from "../../src/lib/random.ts";
import { hasMark, markedVariables } from "../support/uefi.ts";
import { startLibvirtSession } from "./libvirt-session.ts";
import { newDisk } from "./rig.ts";

test("a machine with Secure Boot starts with its own variables, and a point has them", async () => {
  await using session = await startLibvirtSession();
  const host = await openLibvirtHost({ uri: session.uri, scratchFolder: session.scratchFolder });
  const { lifecycle } = host;
  assert.ok(lifecycle !== undefined);
  const id = newGuid();
  const image = newDisk(join(session.folder, "images"), "sys", 8);
  const variablesPath = join(session.folder, "images", "nvram");
  writeFileSync(variablesPath, markedVariables("first"));
  for (const path of [image.path, variablesPath]) session.give(path);
  const uefi = async (): Promise<Uefi | undefined> => {
    await using taken = await host.snapshot(id, { consistency: "crash", chain: "test", point: "p" });
    const { uefi: found, hasEmulatedTpm } = await taken.readFirmware();
    assert.ok(!hasEmulatedTpm);
    return found;
  };
  await lifecycle.define({
    name: "safe",
    id,
    memoryBytes: 96 * 1024 ** 2,
    processors: 1,
    network: "none",
    disks: [{ id: "sys", source: { kind: "image", path: image.path, format: "raw" } }],
    firmware: { variablesPath, isSecureBoot: true },
  });
  const off = await uefi();
  assert.ok(off?.isSecureBoot && off.variables?.equals(readFileSync(variablesPath)));
  await lifecycle.start(id);
  const on = await uefi();
  assert.ok(on?.isSecureBoot && on.variables !== undefined && hasMark(on.variables, "first"));
  await lifecycle.stop(id, 0);

  // A service that may not read the file itself.
  const virsh = openVirsh(session.uri);
  const file = { path: variablesPath, format: "raw" as const };
  const lent = await throughStorage(virsh, file, undefined);
  assert.ok(lent.equals(readFileSync(variablesPath)));
  assert.equal(await session.virsh("pool-list", "--all", "--name"), "");
  await assert.rejects(
    throughStorage(virsh, { ...file, path: `${variablesPath}-none` }, undefined),
    /nor through libvirt/,
  );

  await lifecycle.undefine(id);
  assert.ok(existsSync(variablesPath), "variables that came with a disk stay with it");
  await host.close();
});
