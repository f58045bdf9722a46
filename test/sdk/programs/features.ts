import { FeatureClient } from "@azure/arm-features";
import { credential, endpoint, subscriptionId } from "./clients.ts";

const client = new FeatureClient(credential, subscriptionId, { endpoint });
const before = await client.features.get("Microsoft.Compute", "Example");
await client.features.register("Microsoft.Compute", "Example");
const after = await client.features.get("Microsoft.Compute", "Example");
const listed: (string | undefined)[] = [];
for await (const feature of client.features.list("Microsoft.Compute")) listed.push(feature.name);
process.stdout.write(JSON.stringify({ before: before.properties?.state, after: after.properties?.state, listed }));
