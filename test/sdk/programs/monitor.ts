import { MonitorClient } from "@azure/arm-monitor";
import { ResourceManagementClient } from "@azure/arm-resources";
import { credential, endpoint, subscriptionId } from "./clients.ts";

const monitor = new MonitorClient(credential, subscriptionId, { endpoint });
const client = new ResourceManagementClient(credential, subscriptionId, { endpoint });
const scope = `/subscriptions/${subscriptionId}`;
const group = `${scope}/resourceGroups/watch`;
await client.resourceGroups.createOrUpdate("watch", { location: "local" });
await client.resourceGroups.createOrUpdate("other", { location: "local" });

const codeOf = async (work: Promise<unknown>): Promise<string | undefined> => {
  try {
    await work;
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

const alice = { name: "alice", emailAddress: "alice@example.com" };
const wanted = { location: "Global", groupShortName: "watch", enabled: true, emailReceivers: [alice] };
const made = await monitor.actionGroups.createOrUpdate("watch", "group", {
  ...wanted,
  webhookReceivers: [{ name: "hook", serviceUri: "https://example.com/hook" }],
});
const disabled = await monitor.actionGroups.update("watch", "group", { enabled: false });
const receiver = await codeOf(monitor.actionGroups.enableReceiver("watch", "group", { receiverName: "Alice" }));
const twice = await codeOf(
  monitor.actionGroups.createOrUpdate("watch", "bad", { ...wanted, emailReceivers: [alice, alice] }),
);
const listed: (string | undefined)[] = [];
for await (const one of monitor.actionGroups.listBySubscriptionId()) listed.push(one.name);

const existence = async (name: string): Promise<unknown> => {
  const answer: unknown = await client.resources.checkExistenceById(
    `${group}/providers/Microsoft.Insights/actionGroups/${name}`,
    "2023-01-01",
  );
  return typeof answer === "object" && answer !== null ? Reflect.get(answer, "body") : answer;
};
const exists = [await existence("group"), await existence("none")];

const tags = [
  await client.tagsOperations.createOrUpdateAtScope(scope, { properties: { tags: { a: "1", b: "2" } } }),
  await client.tagsOperations.updateAtScope(scope, { operation: "Delete", properties: { tags: { a: "1" } } }),
].map(({ properties }) => properties.tags);
await client.tagsOperations.deleteAtScope(scope);
tags.push((await client.tagsOperations.getAtScope(scope)).properties.tags);

await client.tagsOperations.createOrUpdate("offered");
await client.tagsOperations.createOrUpdateValue("offered", "one");
const names: string[] = [];
for await (const { tagName, values } of client.tagsOperations.list())
  names.push(`${tagName}: ${(values ?? []).map(({ tagValue }) => tagValue).join()}`);
await client.tagsOperations.deleteValue("offered", "one");
await client.tagsOperations.delete("offered");

const moved = await codeOf(
  client.resources.validateMoveResources("watch", {
    resources: [made.id ?? ""],
    targetResourceGroup: `${scope}/resourceGroups/other`,
  }),
);
let metrics = 0;
for await (const _definition of monitor.metricDefinitions.list(made.id ?? "")) metrics += 1;

process.stdout.write(
  JSON.stringify({
    created: [
      `${made.emailReceivers?.[0]?.name} ${made.emailReceivers?.[0]?.status}`,
      made.webhookReceivers?.[0]?.serviceUri,
    ],
    disabled: disabled.enabled,
    receiver,
    twice,
    listed,
    exists,
    tags,
    names,
    moved,
    metrics,
  }),
);
