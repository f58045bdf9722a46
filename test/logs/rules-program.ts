// What a program does with Microsoft's monitor client: a rule's life, a diagnostic setting's.

import { MonitorClient } from "@azure/arm-monitor";
import { credential, endpoint, subscriptionId } from "../sdk/programs/clients.ts";

const workspace = process.env["WORKSPACE_ID"] ?? "";
const client = new MonitorClient(credential, subscriptionId, {
  endpoint,
  credentials: { scopes: [`${endpoint}/.default`] },
});
const rules = client.scheduledQueryRules;
const made = await rules.createOrUpdate("logs", "by-program", {
  location: "local",
  severity: 3,
  scopes: [workspace],
  evaluationFrequency: "PT15M",
  windowSize: "PT15M",
  criteria: {
    allOf: [{ query: "AzureActivity", timeAggregation: "Count", operator: "GreaterThan", threshold: 5 }],
  },
});
const disabled = await rules.update("logs", "by-program", { enabled: false });
const names: (string | undefined)[] = [];
for await (const { name } of rules.listByResourceGroup("logs")) names.push(name);
await rules.delete("logs", "by-program");
const gone = await rules.get("logs", "by-program").then(
  () => undefined,
  (error: { statusCode?: number }) => error.statusCode,
);
const setting = await client.diagnosticSettings.createOrUpdate(`/subscriptions/${subscriptionId}`, "by-program", {
  workspaceId: workspace,
  logs: [{ category: "Policy", enabled: true }],
});
process.stdout.write(
  JSON.stringify({
    made: [made.name, made.severity, made.kind],
    enabled: disabled.enabled,
    names,
    gone,
    setting: setting.name,
  }),
);
