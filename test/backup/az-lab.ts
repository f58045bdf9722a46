// What the whole way with az finds there: two groups, a host, a storage account and a network.

import type { Rack } from "../compute/rack.ts";

export async function furnishLab(
  put: (path: string, body: object) => Promise<void>,
  rack: Rack,
  account: string,
): Promise<void> {
  const location = "eastus";
  for (const group of ["lab", "target"]) await put(rack.group.replace(/lab$/, group), { location });
  await put(`${rack.group}/providers/Microsoft.Holdfast/hosts/rack1`, {
    location,
    properties: { kind: "qemu", socketDirectory: rack.folder, accelerator: "tcg" },
  });
  await put(`${rack.group}/providers/Microsoft.Storage/storageAccounts/${account}`, {
    location,
    kind: "StorageV2",
    sku: { name: "Standard_LRS" },
  });
  await put(`${rack.group}/providers/Microsoft.Network/virtualNetworks/net`, {
    location,
    properties: {
      addressSpace: { addressPrefixes: ["10.0.0.0/16"] },
      subnets: [{ name: "inner", properties: { addressPrefix: "10.0.0.0/24" } }],
    },
  });
}
