import assert from "node:assert/strict";
import { createServer, get, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { guardedAgents, isForbiddenAddress, mayReach } from "./network-guard.ts";

let server: Server;
let asked = 0;
before(async () => {
  server = createServer((_request, response) => {
    asked += 1;
    response.end("secret");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
after(() => server.close());

const refusal = (host: string): Error => new Error(`${host} is refused`);

function ask(host: string, allowLoopback: boolean): Promise<string> {
  const agents = guardedAgents((address) => isForbiddenAddress(address, allowLoopback), refusal, {});
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    get({ host, port, agent: agents.http }, (response) => {
      response.once("data", (chunk: Buffer) => resolve(chunk.toString()));
    }).once("error", reject);
  });
}

test("this machine, the local link, metadata services and groups are forbidden, in every spelling", () => {
  for (const address of [
    "127.0.0.1",
    "127.8.9.10",
    "::1",
    "::ffff:127.0.0.1",
    "0.0.0.0",
    "::",
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "fe80::1",
    "fd00:ec2::254",
    "168.63.129.16",
    "224.0.0.1",
    "ff02::1",
  ])
    assert.ok(isForbiddenAddress(address), address);
  for (const address of ["93.184.216.34", "10.0.0.7", "192.168.1.2", "2001:db8::1", "fd12::1"])
    assert.ok(!isForbiddenAddress(address), address);
});

test("loopback may be allowed, the local link never", () => {
  for (const address of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) assert.ok(!isForbiddenAddress(address, true));
  for (const address of ["169.254.169.254", "fe80::1", "0.0.0.0"]) assert.ok(isForbiddenAddress(address, true));
});

test("neither a name nor an address gets through to what is forbidden", async () => {
  for (const host of ["localhost", "127.0.0.1"]) {
    await assert.rejects(ask(host, false), { message: `${host} is refused` });
    assert.equal(await mayReach(host, isForbiddenAddress), false);
  }
  assert.equal(asked, 0);
  assert.equal(await ask("127.0.0.1", true), "secret");
  assert.equal(await ask("localhost", true), "secret");
});
