import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { childText, parseXml, xml, xmlDocument } from "./xml.ts";

test("what is written is read back, whatever the text", () => {
  // oxlint-disable-next-line no-control-regex -- XML cannot carry them
  const text = fc.string({ unit: "grapheme", maxLength: 40 }).filter((one) => !/[\u0000-\u001f\ufffe\uffff]/.test(one));
  fc.assert(
    fc.property(text, text, (first, second) => {
      const parsed = parseXml(xmlDocument(xml("Root", [xml("A", first), xml("B", second)], { note: first })));
      assert.equal(parsed.name, "Root");
      assert.equal(childText(parsed, "A"), first);
      assert.equal(childText(parsed, "B"), second);
    }),
    { seed: 3, numRuns: 300 },
  );
});

test("documents that are broken, deep, or define entities are refused", () => {
  const deep = `${"<a>".repeat(50)}${"</a>".repeat(50)}`;
  const wrong = [
    "",
    "text",
    "<a>",
    "<a></b>",
    "<a/><b/>",
    "<a>&bomb;</a>",
    "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
    "<a>&#xD800;</a>",
    deep,
    "<a b=<></a>",
  ];
  for (const text of wrong) assert.throws(() => parseXml(text), { code: "InvalidXmlDocument" }, text.slice(0, 40));
});
