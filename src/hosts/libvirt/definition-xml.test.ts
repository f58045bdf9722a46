import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { backupXml, checkpointXml } from "./backup-job.ts";
import { domainXml, targetName } from "./definition-xml.ts";
import { elementAt, elementsAt, escapeXml, parseXml } from "./xml.ts";

// oxlint-disable-next-line no-control-regex
const unfit = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
const isCarried = (one: string): boolean => !unfit.test(one) && one.isWellFormed();
const text = fc.string({ unit: "binary" }).filter(isCarried);

test("whatever stands in a text comes back as it was", () => {
  fc.assert(
    fc.property(text, (value) => {
      const root = parseXml(`<a b='${escapeXml(value)}'>${escapeXml(value)}</a>`);
      assert.deepEqual([root.attributes["b"], root.text], [value, value]);
    }),
  );
});

test("paths and names of a definition cannot become elements", () => {
  fc.assert(
    fc.property(text, text, (path, name) => {
      const root = parseXml(
        domainXml(
          {
            name: "m",
            id: "7a6dd2a5-7d5c-4d34-9f04-000000000001",
            memoryBytes: 1,
            processors: 1,
            network: "none",
            disks: [
              { id: "os", source: { kind: "image", path, format: "qcow2" } },
              {
                id: "data",
                source: { kind: "point", address: { socketPath: path }, exportName: name, overlayPath: path },
              },
            ],
          },
          "qemu",
        ),
      );
      const [image, point] = elementsAt(root, "devices/disk");
      assert.equal(elementsAt(root, "devices/disk").length, 2);
      assert.equal(image && elementAt(image, "source")?.attributes["file"], path);
      assert.equal(point && elementAt(point, "backingStore/source")?.attributes["name"], name);
    }),
  );
});

test("a backup names each disk once, with what is told of it", () => {
  const disks = [
    { target: "vda", scratchPath: "/s/'0", since: undefined },
    { target: "vdb", scratchPath: "/s/1", since: "holdfast.c.p" },
  ];
  const root = parseXml(backupXml({ socketPath: "/s/<x>", disks, others: ["vdc"] }));
  assert.equal(elementAt(root, "server")?.attributes["socket"], "/s/<x>");
  assert.deepEqual(
    elementsAt(root, "disks/disk").map(({ attributes }) => [
      attributes["name"],
      attributes["backup"],
      attributes["incremental"],
    ]),
    [
      ["vda", "yes", undefined],
      ["vdb", "yes", "holdfast.c.p"],
      ["vdc", "no", undefined],
    ],
  );
  const checkpoint = parseXml(checkpointXml({ name: "holdfast.c.q", targets: ["vda"], others: ["vdb"] }));
  assert.deepEqual(
    elementsAt(checkpoint, "disks/disk").map(({ attributes }) => attributes["checkpoint"]),
    ["bitmap", "no"],
  );
});

test("no two disks have one target", () => {
  const names = Array.from({ length: 702 }, (_, index) => targetName(index));
  assert.equal(new Set(names).size, 702);
  assert.deepEqual([names[0], names[25], names[26], names[701]], ["vda", "vdz", "vdaa", "vdzz"]);
});

test("descriptions with document types, foreign entities, endless depth or halves are refused", () => {
  for (const wrong of [
    "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/shadow'>]><a>&b;</a>",
    "<a>&b;</a>",
    "<a>&#x110000;</a>",
    "<a><b></a></b>",
    "<a/><b/>",
    "<a",
    "",
    `${"<a>".repeat(65)}${"</a>".repeat(65)}`,
    `<a>${"x".repeat(4 * 1024 * 1024)}</a>`,
  ])
    assert.throws(() => parseXml(wrong), { code: "LibvirtMisbehaved" }, wrong.slice(0, 40));
});
