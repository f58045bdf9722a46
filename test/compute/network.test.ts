// Networks as az and templates make them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { waitFor } from "../../src/lib/time.ts";
import { azEnvironment, azWith, type Az } from "../support/az.ts";
import { startTestService, type TestService } from "../support/service.ts";

const lab = ["--resource-group", "lab"];
let service: TestService;
let az: Az;

before(async () => {
  service = await startTestService();
  az = azWith(await azEnvironment(service));
  await az("group", "create", "--name", "lab", "--location", "local");
});

after(() => service?.[Symbol.asyncDispose]());

test("networks, addresses and interfaces are made, refused to go while in use, and go with their group", async () => {
  await az("network", "vnet", "create", ...lab, "--name", "net", "--subnet-name", "one");
  await az(
    "network",
    "vnet",
    "subnet",
    "create",
    ...lab,
    "--vnet-name",
    "net",
    "--name",
    "two",
    "--address-prefixes",
    "10.0.9.0/24",
  );
  const subnets = await az("network", "vnet", "subnet", "list", ...lab, "--vnet-name", "net");
  assert.deepEqual(
    subnets.map(({ name, addressPrefix }: Record<string, string>) => [name, addressPrefix]),
    [
      ["one", "10.0.0.0/24"],
      ["two", "10.0.9.0/24"],
    ],
  );
  const group = `/subscriptions/${service.admin.subscriptionId}/resourceGroups/lab/providers/Microsoft.Network`;
  for (const path of ["publicIPAddresses/address", "networkSecurityGroups/rules"]) {
    const { status } = await service.call("PUT", `${group}/${path}?api-version=2024-05-01`, {
      body: { location: "local" },
    });
    assert.equal(status, 201);
  }
  const nic = ["--vnet-name", "net", "--subnet", "two", "--public-ip-address", "address"];
  await az("network", "nic", "create", ...lab, "--name", "nic", ...nic, "--network-security-group", "rules");
  const [shown] = await az("network", "nic", "list", ...lab); // `nic show` of this package ends in an import error
  assert.match(shown.ipConfigurations[0].subnet.id, /\/virtualNetworks\/net\/subnets\/two$/);
  assert.match(shown.macAddress, /^02-48-46-[0-9A-F-]{8}$/);
  for (const path of ["virtualNetworks/net", "publicIPAddresses/address", "networkSecurityGroups/rules"]) {
    const refused = await service.call("DELETE", `${group}/${path}?api-version=2024-05-01`);
    assert.equal(refused.status, 409, path);
    assert.match(refused.text, /in use by \S+\/networkInterfaces\/nic/);
  }
  await az("group", "delete", "--name", "lab", "--yes");
  await waitFor(
    "the end of the group",
    async () => ((await az("group", "exists", "--name", "lab")) ? undefined : true),
    120_000,
  );
});

test("an interface is not said to be a machine's by who makes it: he would be shown the machine's addresses", async () => {
  const group = `/subscriptions/${service.admin.subscriptionId}/resourceGroups/claims`;
  const version = "?api-version=2024-05-01";
  await service.call("PUT", group + version, { body: { location: "local" } });
  const path = `${group}/providers/Microsoft.Network/networkInterfaces/claim${version}`;
  const owner = `${group}/providers/Microsoft.Compute/virtualMachines/theirs`;
  const ipConfigurations = [{ name: "one", properties: { privateIPAllocationMethod: "Dynamic" } }];
  const properties = { ipConfigurations, virtualMachine: { id: owner } };
  const made = await service.call("PUT", path, { body: { location: "local", properties } });
  assert.equal(made.status, 201, made.text);
  assert.equal((await service.call("GET", path)).json.properties.virtualMachine, undefined);
});

test("what points to nothing, or is no network, is refused by name", async () => {
  const group = `/subscriptions/${service.admin.subscriptionId}/resourceGroups/bad`;
  await service.call("PUT", `${group}?api-version=2021-04-01`, { body: { location: "local" } });
  const put = (type: string, properties: unknown) =>
    service.call("PUT", `${group}/providers/Microsoft.Network/${type}/x?api-version=2024-05-01`, {
      body: { location: "local", properties },
    });
  const cases: [type: string, properties: unknown, says: RegExp][] = [
    ["virtualNetworks", {}, /addressPrefixes' is missing/],
    ["virtualNetworks", { addressSpace: { addressPrefixes: ["ten"] } }, /10\.0\.0\.0\/16/],
    [
      "virtualNetworks",
      { addressSpace: { addressPrefixes: ["10.0.0.0/8"] }, subnets: [{ name: 7 }] },
      /subnets\.0\.name/,
    ],
    [
      "networkInterfaces",
      { ipConfigurations: [{ name: "a", properties: { subnet: { id: `${group}/x` } } }] },
      /was not found/,
    ],
    ["networkInterfaces", { ipConfigurations: "no" }, /ipConfigurations/],
    ["publicIPAddresses", { publicIPAllocationMethod: "Sometimes" }, /publicIPAllocationMethod/],
    ["networkSecurityGroups", { securityRules: [{}] }, /securityRules\.0\.name/],
  ];
  for (const [type, properties, says] of cases) {
    const answer = await put(type, properties);
    assert.deepEqual([type, properties, answer.status], [type, properties, 400]);
    assert.match(answer.text, says);
  }
});
