import { ResourceManagementClient } from "@azure/arm-resources";
import { credential, endpoint, subscriptionId } from "./clients.ts";

const client = new ResourceManagementClient(credential, subscriptionId, { endpoint });
const group = await client.resourceGroups.createOrUpdate("sdk-group", { location: "westeurope", tags: { a: "1" } });
for (let number = 0; number < 24; number += 1)
  await client.resourceGroups.createOrUpdate(`page-${number}`, { location: "local" });
let listed = 0;
for await (const page of client.resourceGroups.list({ top: 10 }).byPage()) {
  if (page.length > 10) throw new Error(`a page of ${page.length}`);
  listed += page.length;
}
const tagged = await client.resourceGroups.update("sdk-group", { tags: { a: "1", b: "2" } });
const existsBefore = await exists("sdk-group");
await client.resourceGroups.delete("sdk-group");
const existsAfter = await exists("sdk-group");
const provider = await client.providers.register("Microsoft.ManagedIdentity");
let missing: unknown;
try {
  await client.resourceGroups.get("sdk-group");
} catch (error) {
  const { statusCode, code } = error as { statusCode: number; code: string };
  missing = { statusCode, code };
}
process.stdout.write(
  JSON.stringify({
    created: group.properties?.provisioningState,
    listed,
    tags: tagged.tags,
    existsBefore,
    existsAfter,
    registered: provider.registrationState,
    missing,
  }),
);

async function exists(name: string): Promise<boolean> {
  const answer = await client.resourceGroups.checkExistence(name);
  return typeof answer === "boolean" ? answer : answer.body;
}
