import assert from "node:assert/strict";
import { test } from "node:test";
import { builtInAlert } from "../../monitor/built-in.ts";
import type { AlertDraft } from "../../monitor/alerts.ts";
import { processed, processingRuleProperties } from "./processing-rule.ts";

const subscription = "/subscriptions/00000000-1111-2222-3333-444444444444";
const vaultId = `${subscription}/resourceGroups/rg/providers/Microsoft.RecoveryServices/vaults/v`;
/** Saturday, 21 November 2026, 23:30 in New York. */
const now = Date.parse("2026-11-22T04:30:00Z");

const alert = builtInAlert({
  kind: "BackupFailure",
  vaultId,
  description: "The backup failed.",
  item: undefined,
  job: undefined,
  correlationId: "c",
  at: now,
});

function through(...rules: object[]): AlertDraft {
  const parsed = rules.map((rule) =>
    processingRuleProperties.parse({ scopes: [subscription], actions: [add("g")], ...rule }),
  );
  return processed(alert, parsed, now);
}

const groupId = (name: string): string =>
  `${subscription}/resourceGroups/rg/providers/Microsoft.Insights/actionGroups/${name}`;
const add = (...names: string[]): object => ({ actionType: "AddActionGroups", actionGroupIds: names.map(groupId) });
const groupsOf = (draft: AlertDraft): number => draft.actions.actionGroups.length;

test("groups are added once, whatever the case of their ids", () => {
  const both = through({}, { actions: [add("h", "G")] });
  assert.deepEqual(both.actions.actionGroups, [groupId("g"), groupId("h")]);
  assert.equal(both.isMuted, false);
});

test("a rule that takes all groups away wins, and mutes the alert", () => {
  const quiet = through({}, { actions: [{ actionType: "RemoveAllActionGroups" }] });
  assert.deepEqual([quiet.actions.actionGroups, quiet.isMuted], [[], true]);
});

test("a rule is about what is below its scopes and meets all of its conditions", () => {
  const condition = (field: string, operator: string, ...values: string[]): object => ({
    conditions: [{ field, operator, values }],
  });
  assert.equal(groupsOf(through({ scopes: [`${subscription}/resourceGroups/r`] })), 0);
  assert.equal(groupsOf(through({ scopes: [vaultId.toUpperCase().replace("/SUBSCRIPTIONS", "/subscriptions")] })), 1);
  assert.equal(groupsOf(through({ enabled: false })), 0);
  const holding = [
    condition("TargetResourceType", "Equals", "Microsoft.RecoveryServices/Vaults"),
    condition("TargetResourceGroup", "Equals", `${subscription}/resourcegroups/RG`),
    condition("Severity", "NotEquals", "Sev0", "Sev2"),
    condition("AlertRuleName", "Contains", "backup"),
    condition("Description", "DoesNotContain", "restore"),
    condition("MonitorService", "Equals", "Azure Backup"),
  ];
  for (const one of holding) assert.equal(groupsOf(through(one)), 1, JSON.stringify(one));
  assert.equal(groupsOf(through(condition("Severity", "Equals", "Sev0"))), 0);
});

test("a rule works in its windows only, counted on the wall clock of its zone", () => {
  const during = (schedule: object): boolean =>
    groupsOf(through({ schedule: { timeZone: "Eastern Standard Time", ...schedule } })) === 1;
  const night = { startTime: "22:00:00", endTime: "06:00:00" };
  assert.ok(during({ effectiveFrom: "2026-11-21T23:30:00" }));
  assert.ok(!during({ effectiveFrom: "2026-11-21T23:31:00" }));
  assert.ok(!during({ effectiveUntil: "2026-11-21T23:30:00" }));
  assert.ok(during({ recurrences: [{ recurrenceType: "Daily", ...night }] }));
  assert.ok(!during({ recurrences: [{ recurrenceType: "Daily", startTime: "06:00:00", endTime: "22:00:00" }] }));
  assert.ok(during({ recurrences: [{ recurrenceType: "Weekly", daysOfWeek: ["Saturday"], ...night }] }));
  assert.ok(!during({ recurrences: [{ recurrenceType: "Weekly", daysOfWeek: ["Sunday"], ...night }] }));
  assert.ok(during({ recurrences: [{ recurrenceType: "Monthly", daysOfMonth: [21] }] }));
  assert.ok(!during({ timeZone: "UTC", recurrences: [{ recurrenceType: "Monthly", daysOfMonth: [21] }] }));
  // The night of Saturday is still on at half past four of Sunday.
  assert.ok(
    during({ timeZone: "UTC", recurrences: [{ recurrenceType: "Weekly", daysOfWeek: ["Saturday"], ...night }] }),
  );
});
