import assert from "node:assert/strict";
import { test } from "node:test";
import { hostSettings } from "./drivers.ts";

const takes = (settings: unknown): boolean => hostSettings.safeParse(settings).success;

test("folders are absolute, and nothing unknown is taken", () => {
  assert.ok(takes({ kind: "images", path: "/srv/images" }));
  assert.ok(
    takes({ kind: "qemu", socketDirectory: "/run/machines", scratchDirectory: "/scratch", accelerator: "tcg" }),
  );
  for (const path of ["images", "", "/a\n/b", "/a\0b", 7, undefined]) assert.ok(!takes({ kind: "images", path }));
  assert.ok(!takes({ kind: "qemu", socketDirectory: "/run", accelerator: "tcg,thread=multi" }));
  assert.ok(!takes({ kind: "images", path: "/srv", extra: 1 }));
  assert.ok(!takes({ kind: "vmware", path: "/srv" }));
});

test("a libvirt URI names no program that libvirt would run on our side", () => {
  for (const uri of [
    "qemu:///system",
    "qemu:///session?socket=/run/user/1000/libvirt/libvirt-sock",
    "qemu+ssh://admin@rack1:2222/system?keyfile=/etc/holdfast/key",
    "qemu+tls://rack1.example/system",
    "test:///default",
  ])
    assert.ok(takes({ kind: "libvirt", uri }), uri);
  for (const uri of [
    "qemu+ext:///system?command=/tmp/evil",
    "qemu+ssh://rack1/system?command=/tmp/evil",
    "qemu+ssh://rack1/system?netcat=%2Ftmp%2Fevil",
    "qemu+ssh://rack1/system?proxy=native&Command=x",
    "qemu+ssh://-oProxyCommand=evil/system",
    "qemu+ssh://-x@rack1/system",
    "-c",
    "--version",
    "qemu:///system\n",
    "qemu:///sys tem",
    "/system",
    "",
  ])
    assert.ok(!takes({ kind: "libvirt", uri }), uri);
});
