// Writes the records of backups into the workspaces that vaults' diagnostic settings name: what an event
// changed, at once, and everything there is once a day, so that a query over the last day finds it all.

import { ZodError } from "zod";
import { findResource, type Reader } from "../../arm/resources/resource-store.ts";
import type { ProtectedItem } from "../../backup/protection/item.ts";
import { listVaults } from "../../backup/vaults/vaults.ts";
import type { Database } from "../../db/database.ts";
import type { StoredEvent } from "../../events/event.ts";
import { runSubscriber } from "../../events/subscribe.ts";
import { isErrorCode } from "../../lib/errors.ts";
import type { BackupEntry } from "../../logs/azure/backup-entry.ts";
import {
  alertEntries,
  inventoryEntries,
  itemEntries,
  jobEntries,
  operationEntries,
} from "../../logs/azure/backup-entries.ts";
import { backupRecords, type Destination } from "../../logs/azure/backup-records.ts";
import { policyEntries } from "../../logs/azure/policy-entries.ts";
import type { Logs } from "../../logs/logs.ts";
import type { Alert } from "../../monitor/alert.ts";
import { alertFired, alertResolved, alertStateChanged } from "../../monitor/alerts.ts";
import type { Archive } from "./archive.ts";
import { alertFacts, findItemFacts, inventoryOf, itemFacts, jobFacts, vaultFacts } from "./backup-facts.ts";
import { diagnosticSettingsOf, wantsCategory } from "./settings-of-resource.ts";

const source = "backup-records";

export interface BackupRoutingOptions {
  readonly database: Database;
  readonly logs: Logs;
  readonly archive: Archive;
  readonly holder: string;
  readonly report: (error: unknown) => void;
}

type Found = NonNullable<Awaited<ReturnType<typeof vaultFacts>>>;

type Teller = (reader: Reader, found: Found, event: StoredEvent) => Promise<BackupEntry[]>;

const tellItem: Teller = async (reader, { vault, facts }, { subject }) => {
  const item = await findItemFacts(reader, vault, subject);
  return item === undefined ? [] : itemEntries(item, facts);
};
/** The same, and that somebody did it. */
const audit =
  (operation: string, teller: Teller): Teller =>
  async (reader, found, event) => [
    ...(await teller(reader, found, event)),
    ...operationEntries({
      at: event.occurredAt,
      operation,
      management: "AzureIaasVM",
      about: { subject: event.subject, actor: event.actor },
    }),
  ];
const tellInventory: Teller = async (reader, { vault, facts }) =>
  inventoryEntries(await inventoryOf(reader, vault, facts));

const tellAlert: Teller = async (_reader, { facts }, { data }) => {
  const alert = alertFacts(data as Alert);
  return alert === undefined ? [] : alertEntries(alert, facts);
};

/** What each event changed. All of it belongs to the vault whose id is among the event's subjects. */
const tellers: Readonly<Record<string, Teller>> = {
  "vault.changed": tellInventory,
  "diagnosticSetting.changed": tellInventory,
  "policy.changed": audit("Modify policy", async (reader, { vault, facts }, { subject }) => {
    const { policies, items } = await inventoryOf(reader, vault, facts);
    const changed = policies.filter(({ id }) => id.toLowerCase() === subject);
    const users = items.filter(({ policy }) => policy?.id.toLowerCase() === subject);
    return [
      ...changed.flatMap((policy) => policyEntries(policy, facts)),
      ...users.flatMap((item) => itemEntries(item, facts)),
    ];
  }),
  "policy.deleted": audit("Delete policy", async (_reader, { facts }, { data }) => {
    const { name } = data as { readonly name: string };
    const id = `${facts.id}/backupPolicies/${name}`;
    return policyEntries({ id, name, management: "AzureIaasVM", properties: {}, isDeleted: true }, facts);
  }),
  "item.protected": tellItem,
  "item.changed": tellItem,
  "item.stopped": audit("Stop backup with retain data", tellItem),
  "item.suspended": tellItem,
  "item.resumed": tellItem,
  "item.deleted": audit("Stop backup with delete data", tellItem),
  "item.undeleted": tellItem,
  "item.purged": async (reader, { facts }, { data }) => {
    const item = await itemFacts(reader, data as ProtectedItem, []);
    return itemEntries({ ...item, isDeleted: true }, facts);
  },
  "item.backed-up": tellItem,
  [alertFired]: tellAlert,
  [alertResolved]: tellAlert,
  [alertStateChanged]: tellAlert,
  "job.ended": async (reader, { vault, facts }, { data }) => {
    const job = await jobFacts(reader, vault, data);
    return job === undefined ? [] : jobEntries(job, facts);
  },
};

/** Works until `signal`. */
export function routeBackupRecords(
  { database, logs, archive, holder, report }: BackupRoutingOptions,
  signal: AbortSignal,
): Promise<void> {
  const reader = database.kysely;
  const tell = async (event: StoredEvent): Promise<void> => {
    const key = vaultKeyIn(event);
    const teller = tellers[event.type];
    if (key === undefined || teller === undefined) return;
    const destinations = await destinationsOf(reader, archive, key);
    if (destinations.length === 0) return;
    const found = await vaultFacts(reader, key);
    if (found === undefined) return;
    const entries = await teller(reader, found, event);
    const told = { resourceId: found.facts.id, at: event.occurredAt, number: event.position };
    const batch = await archive.keep(backupRecords(entries, found.facts, destinations, database.clock.now()), told);
    if (batch.length > 0) await logs.append(batch, { source, position: event.position });
  };
  return runSubscriber(
    database,
    {
      name: source,
      holder,
      from: "now",
      types: Object.keys(tellers),
      handle: {
        deliver: async (events) => {
          for (const event of events) {
            try {
              await tell(event);
            } catch (error) {
              // What cannot be said of one event must not keep the others from being told.
              if (!isOwnFault(error)) throw error;
              report(error);
            }
          }
        },
      },
      report,
    },
    signal,
  );
}

/** Everything of every vault that logs: called once a day. */
export async function pushInventories({
  database,
  logs,
  archive,
}: Pick<BackupRoutingOptions, "database" | "logs" | "archive">): Promise<void> {
  const reader = database.kysely;
  for (const { key } of await listVaults(reader)) {
    const destinations = await destinationsOf(reader, archive, key);
    const found = destinations.length === 0 ? undefined : await vaultFacts(reader, key);
    if (found === undefined) continue;
    const entries = inventoryEntries(await inventoryOf(reader, found.vault, found.facts));
    const at = database.clock.now();
    const told = { resourceId: found.facts.id, at, number: at };
    await logs.append(await archive.keep(backupRecords(entries, found.facts, destinations, at), told));
  }
}

async function destinationsOf(reader: Reader, archive: Archive, vaultKey: string): Promise<Destination[]> {
  const destinations: Destination[] = [];
  for (const { properties } of await diagnosticSettingsOf(reader, vaultKey)) {
    const workspace = await findResource<{ customerId: string }>(reader, properties.workspaceId ?? "");
    const wants = (category: string): boolean => wantsCategory(properties, category);
    if (workspace !== undefined) {
      const isDedicated = properties.logAnalyticsDestinationType === "Dedicated";
      destinations.push({ workspace: workspace.properties.customerId, isDedicated, wants });
    }
    // The form is a matter of workspaces: an account is given every category as it is.
    const kept = await archive.keyOf(reader, properties);
    if (kept === undefined) continue;
    for (const isDedicated of [true, false]) destinations.push({ workspace: kept, isDedicated, wants });
  }
  return destinations;
}

function isOwnFault(error: unknown): boolean {
  return error instanceof ZodError || isErrorCode(error, "RecordInvalid") || isErrorCode(error, "RecordTooLarge");
}

function vaultKeyIn({ subject, subjects }: StoredEvent): string | undefined {
  return [subject, ...subjects].find((id) => /\/providers\/microsoft\.recoveryservices\/vaults\/[^/]+$/.test(id));
}
