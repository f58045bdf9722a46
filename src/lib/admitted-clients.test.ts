import assert from "node:assert/strict";
import { test } from "node:test";
import { isAddressRange, isAdmitted } from "./admitted-clients.ts";

test("ranges admit the addresses in them, of their own family, mapped ones too", () => {
  const admitted = ["192.0.2.0/24", "203.0.113.7", "2001:db8::/32"];
  for (const address of ["192.0.2.200", "203.0.113.7", "::ffff:192.0.2.1", "2001:db8:1::9"])
    assert.ok(isAdmitted(admitted, address), address);
  for (const address of ["192.0.3.1", "203.0.113.8", "2001:db9::1", "::1", "127.0.0.1", ""])
    assert.ok(!isAdmitted(admitted, address), address);
});

test("all, none, and an empty list, which is none; the service itself has no address", () => {
  assert.ok(isAdmitted("all", "198.51.100.1"));
  assert.ok(!isAdmitted("none", "127.0.0.1"));
  assert.ok(!isAdmitted([], "127.0.0.1"));
  assert.ok(isAdmitted("none", undefined));
});

test("what is no address and no range is told apart", () => {
  for (const text of ["10.0.0.0/8", "10.1.2.3", "::/0"]) assert.ok(isAddressRange(text), text);
  for (const text of ["10.0.0.0/33", "10.0.0", "host.example", "", "::1/129", "10.0.0.0/8/8"])
    assert.ok(!isAddressRange(text), text);
});
