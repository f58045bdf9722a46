// What @azure/arm-compute, unmodified, sees of the machine `web`.

import { ComputeManagementClient } from "@azure/arm-compute";
import { credential, endpoint, subscriptionId } from "../sdk/programs/clients.ts";

const client = new ComputeManagementClient(credential, subscriptionId, {
  endpoint,
  credentials: { scopes: [`${endpoint}/.default`] },
});
const names = async (pages: AsyncIterable<{ name?: string }>): Promise<unknown[]> => {
  const found = [];
  for await (const { name } of pages) found.push(name);
  return found;
};

const listed = await names(client.virtualMachines.list("lab"));
const all = await names(client.virtualMachines.listAll());
const { vmId } = await client.virtualMachines.get("lab", "web");
const view = await client.virtualMachines.instanceView("lab", "web");
const ran = await client.virtualMachines.runCommand("lab", "web", { commandId: "RunShellScript", script: ["true"] });
const extension = await client.virtualMachineExtensions.createOrUpdate("lab", "web", "VMSnapshot", {
  location: "local",
  publisher: "Microsoft.RecoveryServices",
  typePropertiesType: "VMSnapshot",
  typeHandlerVersion: "1.9",
  autoUpgradeMinorVersion: true,
  settings: { locale: "en-us" },
  protectedSettings: { objectStr: "secret" },
});
const shown = await client.virtualMachineExtensions.get("lab", "web", "VMSnapshot");
await client.virtualMachineExtensions.delete("lab", "web", "VMSnapshot");
const { value: left = [] } = await client.virtualMachineExtensions.list("lab", "web");
let missing: unknown;
try {
  await client.virtualMachines.get("lab", "nobody");
} catch (error) {
  const { statusCode, code } = error as { statusCode: number; code: string };
  missing = { statusCode, code };
}
await client.virtualMachines.restart("lab", "web");
process.stdout.write(
  JSON.stringify({
    listed,
    all,
    vmId,
    power: view.statuses?.map(({ code }) => code).filter((code) => code?.startsWith("PowerState")),
    agent: view.vmAgent?.statuses?.[0]?.displayStatus,
    ran: ran.value?.[0]?.code,
    extension: [extension.name === shown.name ? shown.typePropertiesType : "", left.length],
    missing,
  }),
);
