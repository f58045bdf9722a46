// Shows what came of a task where Azure's clients look for it: the status of the machine's extension,
// which is made known as a resource when it first has something to say.

import { idKey } from "../arm/resource-id.ts";
import type { Database } from "../db/database.ts";
import {
  listExtensions,
  putExtension,
  readProtectedSettings,
  writeExtensionStatus,
  type ExtensionStatus,
} from "../inventory/extensions.ts";
import { isoTime } from "../lib/clock.ts";
import type { SecretBox } from "../lib/secret-box.ts";
import { vmSnapshot, type Subject, type VmSnapshot, type VmSnapshotParts } from "./consistency-agent.ts";
import { statusBlob, type TaskReport } from "./status.ts";
import { writeTaskBlobs, type WriteBlob } from "./task-blobs.ts";

const publisher = "Microsoft.Azure.RecoveryServices";
const type = "VMSnapshotLinux";
const itself = { caller: { name: "Holdfast", principalType: "ServicePrincipal" } } as const;

/** The extension as the service uses it: what it does in guests is shown on their machines. */
export function reportingVmSnapshot(database: Database, box: SecretBox, writeBlob: WriteBlob): VmSnapshot {
  const tell = reportToInventory(database, box);
  const report: NonNullable<VmSnapshotParts["report"]> = async (subject, task) => {
    const id = await tell(subject, task);
    if (id === undefined) return;
    const shown = (await listExtensions(database.kysely, machineOf(id))).find((one) => one.id === id);
    const protectedSettings = await readProtectedSettings(database.kysely, box, id);
    await writeTaskBlobs(writeBlob, { publicSettings: shown?.properties.settings, protectedSettings }, task);
  };
  return vmSnapshot({ clock: database.clock, report });
}

const machineOf = (extensionId: string): string => extensionId.split("/").slice(0, -2).join("/");

/** Returns the id of the extension that tells of it. */
function reportToInventory(
  database: Database,
  box: SecretBox,
): (subject: Subject, report: TaskReport) => Promise<string | undefined> {
  return (subject, report) =>
    database.transaction(async (trx) => {
      const found = await trx
        .selectFrom("machines")
        .innerJoin("resources", "resources.key", "machines.key")
        .select(["resources.id", "resources.location"])
        .where("machines.machine_id", "=", subject.machine.id)
        .where("machines.present", "=", 1)
        .execute();
      const [machine, another] = found;
      // Two hosts may show machines of one id: then it is not known whose task this was.
      if (machine === undefined || another !== undefined) return undefined;
      const known = (await listExtensions(trx, machine.id)).find(({ properties }) => isOurs(properties));
      const id = known?.id ?? `${machine.id}/extensions/${type}`;
      if (known === undefined) {
        const properties = {
          publisher,
          type,
          typeHandlerVersion: majorMinor(report.version),
          autoUpgradeMinorVersion: true,
        };
        const draft = { id, location: machine.location ?? "", properties, protectedSettings: undefined };
        await putExtension(trx, box, draft, { ...itself, clock: database.clock });
      }
      await writeExtensionStatus(trx, id, describe(report));
      return id;
    });
}

function isOurs(properties: { readonly publisher: string; readonly type: string }): boolean {
  return /recoveryservices$/i.test(properties.publisher) && idKey(properties.type).startsWith("vmsnapshot");
}

function majorMinor(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}

/** A guest whose scripts failed has a working extension all the same: that is a warning. */
function describe(report: TaskReport): ExtensionStatus {
  const time = isoTime(report.endedAt);
  const hasFailed = report.code > 1;
  return {
    typeHandlerVersion: report.version,
    statuses: [
      {
        code: `ProvisioningState/succeeded/${report.code}`,
        level: hasFailed ? "Warning" : "Info",
        displayStatus: "Provisioning succeeded",
        message: report.message,
        time,
      },
    ],
    substatuses: [
      {
        code: `ComponentStatus/Snapshot/${report.level === "none" ? "failed" : "succeeded"}`,
        level: hasFailed ? "Warning" : "Info",
        displayStatus: `Snapshot: ${report.level}`,
        message: JSON.stringify(statusBlob(report)),
        time,
      },
    ],
  };
}
