import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatDynamic, parseDynamic } from "./dynamic.ts";
import { readDatetime } from "./read-datetime.ts";
import { formatReal, parseReal } from "./real.ts";
import { endOfTime, formatDatetime, formatTimespan, parseTimespan } from "./ticks.ts";

test("a datetime is read back from its text, to the tick", () => {
  fc.assert(fc.property(fc.bigInt(0n, endOfTime - 1n), (ticks) => readDatetime(formatDatetime(ticks)) === ticks));
});

test("a timespan is read back from its text", () => {
  fc.assert(
    fc.property(fc.bigInt(-(10n ** 18n), 10n ** 18n), (ticks) => parseTimespan(formatTimespan(ticks)) === ticks),
  );
});

test("a real is read back from its text", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => parseReal(formatReal(value)) === value),
  );
});

test("reals look as .NET writes them", () => {
  const texts = [1, 0.5, 1e15, 1e14, 1e-5, 1e-6, 123456789.125, -2.5e300].map(formatReal);
  assert.deepEqual(texts, [
    "1.0",
    "0.5",
    "1E+15",
    "100000000000000.0",
    "0.00001",
    "1E-06",
    "123456789.125",
    "-2.5E+300",
  ]);
});

test("JSON keeps whole numbers, key order and what is no JSON out", () => {
  const text = '{"b":1,"a":[1.0,9223372036854775807,null,"x\\n"],"1":{}}';
  assert.equal(formatDynamic(parseDynamic(text) ?? null), text);
  for (const bad of ["", "{", "[1,]", "{'a':1}", "01x", "nul", '"a', "[".repeat(2_000)])
    assert.equal(parseDynamic(bad), undefined);
});

test("any JSON that JavaScript writes is read as the same value", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const value = parseDynamic(text);
      assert.notEqual(value, undefined);
      assert.deepEqual(JSON.parse(formatDynamic(value ?? null)), JSON.parse(text));
    }),
  );
});

test("datetimes are read in many forms, zones included", () => {
  const wanted = readDatetime("2024-03-05T14:30:00Z");
  for (const text of [
    "2024-03-05 14:30",
    "2024-03-05T16:30:00+02:00",
    "03/05/2024 14:30:00",
    "03/05/2024 2:30:00 PM",
    "5 Mar 2024 14:30:00 GMT",
    "Tue, 05 Mar 2024 14:30:00 GMT",
    "20240305 143000",
  ]) {
    assert.equal(readDatetime(text), wanted, text);
  }
  for (const bad of ["", "2024-13-01", "2024-02-30", "yesterday", "25:00"]) assert.equal(readDatetime(bad), null, bad);
});
