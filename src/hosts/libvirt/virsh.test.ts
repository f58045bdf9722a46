import assert from "node:assert/strict";
import { test } from "node:test";
import { openVirsh } from "./virsh.ts";

const virsh = openVirsh("test:///default");

test("several commands are answered in their order, with nothing for those that fail", async () => {
  const answers = await virsh.batch([
    ["domname", "1"],
    ["domname", "nobody"],
    ["domid", "test"],
  ]);
  assert.deepEqual(
    answers.map((answer) => answer.trim()),
    ["test", "", "1"],
  );
});

test("what is no plain word never reaches the client", async () => {
  for (const odd of ["a;b", "a b", "$(id)", "'", "--x=y\n"])
    await assert.rejects(virsh.batch([["domname", odd]]), { code: "HostSettingsInvalid" });
  for (const odd of ["it's", "two\nlines"])
    await assert.rejects(virsh.whisper(["domname"], odd), { code: "HostSettingsInvalid" });
});

test("a secret is one word on the client's input, whatever it holds", async () => {
  assert.match(await virsh.whisper(["echo"], '{"a": "; quit $HOME `id` \\\\ #"}'), /; quit \$HOME `id` \\\\ #/);
});

test("refusals are told by what is meant", async () => {
  await assert.rejects(virsh.call(["dumpxml", "nobody"]), { code: "MachineNotFound" });
  await assert.rejects(virsh.call(["define"], { documents: { "--file": "<nonsense/>" } }), { code: "LibvirtRefused" });
  await assert.rejects(openVirsh("qemu+unix:///session?socket=/nowhere").call(["uri"]), { code: "LibvirtUnreachable" });
});
