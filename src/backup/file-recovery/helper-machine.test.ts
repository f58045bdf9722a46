import assert from "node:assert/strict";
import { test } from "node:test";
import { diskDevices } from "./helper-machine.ts";

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `disk${index}`);

test("of each port the first function comes last, and no two disks share a place", () => {
  const devices = diskDevices(names(19));
  const places = devices.map(({ bus, addr }) => `${String(bus)}/${String(addr)}`);
  assert.equal(new Set(places).size, 19);
  assert.deepEqual([places[7], places[15], places[18]], ["port0/0.0", "port1/0.0", "port2/0.0"]);
  assert.deepEqual(
    devices.filter(({ bus }) => bus === "port1").map(({ serial }) => serial),
    names(16).slice(8).reverse(),
  );
});

test("more disks than the guest has room for are refused with their number", () => {
  assert.equal(diskDevices(names(72)).length, 72);
  assert.throws(() => diskDevices(names(73)), /has 73 disks; the helper guest takes 72/);
});
