// Raises the built-in alerts of backups: hears what happened and, in the transaction that moves its
// place in the stream, makes the alert, so that each happening is told exactly once.

import { z } from "zod";
import { registrationStates } from "../../arm/registrations.ts";
import { findResource, type Reader } from "../../arm/resources/resource-store.ts";
import type { JobEventData } from "../../backup/jobs/job-events.ts";
import { parsePolicy } from "../../backup/policy/parse-policy.ts";
import type { Policy } from "../../backup/policy/policy.ts";
import type { ItemEventData } from "../../backup/protection/item-events.ts";
import type { ProtectedItem } from "../../backup/protection/item.ts";
import { itemNames } from "../../backup/protection/names.ts";
import { shortenings } from "../../backup/retention/shortening.ts";
import { findPolicy } from "../../backup/vaults/policies.ts";
import { findVault, type Vault } from "../../backup/vaults/vaults.ts";
import type { Database } from "../../db/database.ts";
import type { StoredEvent } from "../../events/event.ts";
import { runSubscriber } from "../../events/subscribe.ts";
import { builtInAlert, builtInAlerts, type BuiltInAlert, type BuiltInHappening } from "../../monitor/built-in.ts";
import { raiseAlert } from "./processing-rules.ts";

type Told = Pick<BuiltInHappening, "kind" | "description"> & Partial<Pick<BuiltInHappening, "item" | "job">>;
type Watcher = (event: StoredEvent, vault: Vault, reader: Reader) => Promise<readonly Told[]> | readonly Told[];

/** Failures that nobody needs to be told of: the next run goes by itself, or the machine is gone on purpose. */
const silentErrors = new Set([
  "UserErrorBackupOperationInProgress",
  "UserErrorVmNotFoundV2",
  "UserErrorBcmDatasourceNotPresent",
]);
const failures: Readonly<Record<string, BuiltInAlert>> = { Backup: "BackupFailure", Restore: "RestoreFailure" };

const watchers: Readonly<Record<string, Watcher>> = {
  "job.ended": (event) => {
    const job = event.data as JobEventData;
    const kind = failures[job.operation];
    const [error] = job.errors;
    // A job that somebody cancelled has the status Cancelled.
    if (kind === undefined || job.status !== "Failed" || error === undefined || silentErrors.has(error.code)) return [];
    const told = { id: job.id, errorCode: error.code, recommendations: error.recommendations };
    return [{ kind, description: error.message, job: told, item: itemOfJob(job) }];
  },
  // Without soft delete there is nothing to get back, and Azure raises none.
  "item.deleted": (event) =>
    isSoft(event) ? [ofItem("DeleteBackupData", event, "Backup was stopped and its data deleted")] : [],
  "item.purge-upcoming": (event) => [
    ofItem("UpcomingPurge", event, "The deleted backup data will be purged in two days"),
  ],
  "item.purged": (event) =>
    isSoft(event) ? [ofItem("PurgeComplete", event, "The deleted backup data was purged for good")] : [],
  "vault.changed": ({ data }, vault) => {
    const { before, after } = vaultChange.parse(data);
    const was = (what: (settings: VaultSecurity) => boolean): boolean => what(before) && !what(after);
    const told: Told[] = [];
    if (was(({ softDelete }) => softDelete.state !== "Disabled"))
      told.push({ kind: "SoftDeleteDisabled", description: `Soft delete was disabled for the vault ${vault.name}.` });
    if (was(({ enhancedSecurity }) => enhancedSecurity === "Enabled"))
      told.push({
        kind: "HybridSecurityDisabled",
        description: `Hybrid security was disabled for the vault ${vault.name}.`,
      });
    if (was(({ guard }) => guard !== undefined))
      told.push({
        kind: "MuaDisabled",
        description: `Multi-user authorization was disabled for the vault ${vault.name}.`,
      });
    return told;
  },
  "policy.changed": ({ data }) => {
    const { name, before, after } = policyChange.parse(data);
    if (before === undefined) return [];
    const shorter = shorterRetention(parsePolicy(before), parsePolicy(after));
    if (shorter === undefined) return [];
    return [
      {
        kind: "ModifyPolicyShorterRetention",
        description: `The policy ${name} keeps points for less long: ${shorter}.`,
      },
    ];
  },
  "item.changed": otherPolicy,
  // A suspended item still had its policy.
  "item.resumed": otherPolicy,
};

async function otherPolicy(event: StoredEvent, vault: Vault, reader: Reader): Promise<readonly Told[]> {
  const { policyKey, policyKeyBefore } = event.data as ItemEventData;
  if (policyKey === undefined || policyKeyBefore === undefined || policyKey === policyKeyBefore) return [];
  const [before, after] = [
    await findPolicy(reader, vault, policyKeyBefore),
    await findPolicy(reader, vault, policyKey),
  ];
  if (before === undefined || after === undefined) return [];
  const shorter = shorterRetention(before.policy, after.policy);
  if (shorter === undefined) return [];
  const what = `The policy ${after.name} in place of ${before.name} keeps points for less long (${shorter})`;
  return [ofItem("ModifyProtectionShorterRetention", event, what)];
}

function shorterRetention(before: Policy, after: Policy): string | undefined {
  const shorter = shortenings(before, after);
  if (shorter.length === 0) return undefined;
  return shorter.map(({ field, before: old, after: now }) => `${field}: ${old} to ${now}`).join("; ");
}

const vaultSecurity = z.object({
  softDelete: z.object({ state: z.string() }),
  enhancedSecurity: z.string(),
  guard: z.string().optional(),
});
type VaultSecurity = z.output<typeof vaultSecurity>;
const vaultChange = z.object({ before: vaultSecurity, after: vaultSecurity });
const policyChange = z.object({ name: z.string(), before: z.unknown().optional(), after: z.unknown() });

export interface BackupAlertsOptions {
  readonly database: Database;
  readonly holder: string;
  readonly report: (error: unknown) => void;
}

/** Works until `signal`. */
export function raiseBackupAlerts(
  { database, holder, report }: BackupAlertsOptions,
  signal: AbortSignal,
): Promise<void> {
  return runSubscriber(
    database,
    {
      name: "backup-alerts",
      holder,
      from: "now",
      types: Object.keys(watchers),
      handle: {
        apply: async (trx, events) => {
          for (const event of events) {
            for (const happening of await happeningsOf(trx, event)) await raiseAlert(trx, builtInAlert(happening));
          }
        },
      },
      report,
    },
    signal,
  );
}

async function happeningsOf(reader: Reader, event: StoredEvent): Promise<BuiltInHappening[]> {
  const key = [event.subject, ...event.subjects].find((id) => /\/microsoft\.recoveryservices\/vaults\/[^/]+$/.test(id));
  const vault = key === undefined ? undefined : await findVault(reader, key);
  if (vault === undefined) return [];
  const told = (await watchers[event.type]?.(event, vault, reader)) ?? [];
  const happenings: BuiltInHappening[] = [];
  for (const one of told) {
    if (builtInAlerts[one.kind].category === "Jobs" && !(await wantsJobAlerts(reader, vault))) continue;
    const { correlationId, occurredAt: at } = event;
    happenings.push({ item: undefined, job: undefined, ...one, vaultId: vault.id, correlationId, at });
  }
  return happenings;
}

const monitoring = z.object({
  monitoringSettings: z.object({
    azureMonitorAlertSettings: z.object({ alertsForAllJobFailures: z.string() }),
  }),
});
const feature = "microsoft.recoveryservices/enableazurebackupjobfailurealertstoazuremonitor";

/** What the vault says; the preview's feature flag turns them on where the vault says no more. */
async function wantsJobAlerts(reader: Reader, vault: Vault): Promise<boolean> {
  const resource = await findResource(reader, vault.id);
  const settings = monitoring.safeParse(resource?.properties);
  if (settings.success)
    return settings.data.monitoringSettings.azureMonitorAlertSettings.alertsForAllJobFailures !== "Disabled";
  const states = await registrationStates(reader, vault.id.split("/")[2] ?? "");
  return states.get(feature)?.state === "Registered";
}

function isSoft({ data }: StoredEvent): boolean {
  return ((data as ProtectedItem).deletion?.days ?? 0) > 0;
}

function itemOfJob({ itemKey, itemName, containerName, vaultKey }: JobEventData): BuiltInHappening["item"] {
  if (itemKey === undefined) return undefined;
  const [, group = "", machine = ""] = itemName.split(";").slice(-3);
  const subscription = vaultKey.split("/").slice(0, 3).join("/");
  const sourceId = `${subscription}/resourceGroups/${group}/providers/Microsoft.Compute/virtualMachines/${machine}`;
  return { id: itemKey, name: itemName, containerName, sourceId };
}

function ofItem(kind: BuiltInAlert, { data }: StoredEvent, what: string): Told {
  const item = data as ProtectedItem;
  const names = itemNames(item.machineId);
  return {
    kind,
    description: `${what}: ${item.friendlyName}.`,
    item: { id: item.id, sourceId: item.machineId, name: names.item, containerName: names.container },
  };
}
