import assert from "node:assert/strict";
import { test } from "node:test";
import { refuseRemote } from "./reach.ts";

test("disks of a libvirt on another machine are refused by that machine's name", () => {
  for (const uri of ["qemu:///system", "qemu+unix:///session?socket=/run/libvirt-sock", "test:///default"])
    refuseRemote(uri);
  for (const uri of ["qemu+ssh://admin@rack1:22/system", "qemu+tls://rack1/system", "qemu://rack1/system"])
    assert.throws(() => refuseRemote(uri), { code: "OperationUnsupported", message: /rack1/ }, uri);
});
