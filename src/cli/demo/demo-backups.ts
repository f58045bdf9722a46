// The calls of the demo: the same that az makes.

import { z } from "zod";
import { sleep } from "../../lib/time.ts";
import type { ServiceClient } from "../service-client.ts";
import type { DemoFile, DemoMachine } from "./machine.ts";

export interface DemoBackups {
  /** Gives the id of the machine on it. */
  addHost(machine: DemoMachine): Promise<string>;
  protect(machineId: string): Promise<void>;
  countPoints(): Promise<number>;
  /** Gives the newest recovery point's name, what it is like, and how much was transferred. */
  backUp(): Promise<{ readonly point: string; readonly consistency: string; readonly size: string }>;
  /** One file of a point, written to a new file here. */
  recoverFile(point: string, file: DemoFile, to: string): Promise<void>;
  /** A disk of a point as a managed disk, downloaded as a fixed VHD; gives the disk's size. */
  restoreDisk(point: string, lun: number, to: string): Promise<number>;
}

const armVersion = "api-version=2021-04-01";
const hostVersion = "api-version=2026-01-01";
const computeVersion = "api-version=2023-01-02";
const vaultVersion = "api-version=2023-04-01";
const backupVersion = "api-version=2024-04-01";
const storageVersion = "api-version=2023-01-01";

const machineList = z.object({ value: z.array(z.object({ id: z.string() })) });
const itemList = z.object({
  value: z.array(z.object({ id: z.string(), properties: z.object({ sourceResourceId: z.string() }) })),
});
const protectableList = z.object({
  value: z.array(z.object({ id: z.string(), properties: z.object({ virtualMachineId: z.string() }) })),
});
const jobList = z.object({
  value: z.array(z.object({ name: z.string(), properties: z.object({ operation: z.string(), status: z.string() }) })),
});
const jobDetail = z.object({
  properties: z.object({
    status: z.string(),
    errorDetails: z.array(z.object({ errorString: z.string().nullish() })).nullish(),
    extendedInfo: z.object({ propertyBag: z.record(z.string(), z.string()).nullish() }).nullish(),
  }),
});
const pointList = z.object({
  value: z.array(
    z.object({
      name: z.string(),
      properties: z.object({ recoveryPointTime: z.string(), recoveryPointType: z.string() }),
    }),
  ),
});
const restoredDisks = z.object({
  value: z.array(z.object({ id: z.string(), properties: z.object({ diskSizeBytes: z.number() }) })),
});
const volumeList = z.object({ value: z.array(z.object({ name: z.string(), label: z.string().nullish() })) });
const offer = z.object({ url: z.string() });
const access = z.object({ accessSAS: z.string() });

const pollMilliseconds = 500;
const longestMilliseconds = 5 * 60_000;
const openStatuses = ["InProgress", "Cancelling"];

export function demoBackups(client: ServiceClient): DemoBackups {
  const subscription = `/subscriptions/${client.service.subscriptionId}`;
  const group = `${subscription}/resourceGroups/demo`;
  const vault = `${group}/providers/Microsoft.RecoveryServices/vaults/demo-vault`;
  const staging = `${group}/providers/Microsoft.Storage/storageAccounts/holdfastdemo`;
  let item = "";

  const until = async <T>(what: string, look: () => Promise<T | undefined>): Promise<T> => {
    for (let waited = 0; waited < longestMilliseconds; waited += pollMilliseconds) {
      const found = await look();
      if (found !== undefined) return found;
      await sleep(pollMilliseconds);
    }
    throw new Error(`waited ${longestMilliseconds / 60_000} minutes for ${what}`);
  };

  const jobNames = async (): Promise<Set<string>> => {
    const { value } = jobList.parse(await client.arm("GET", `${vault}/backupJobs?${backupVersion}`));
    return new Set(value.map(({ name }) => name));
  };

  /** Starts something and waits for the job that comes of it; gives the job's property bag. */
  const runJob = async (operation: string, start: () => Promise<unknown>): Promise<Record<string, string>> => {
    const before = await jobNames();
    await start();
    return until(`the ${operation} job`, async () => {
      const { value } = jobList.parse(await client.arm("GET", `${vault}/backupJobs?${backupVersion}`));
      const job = value.find(({ name, properties }) => !before.has(name) && properties.operation === operation);
      if (job === undefined || openStatuses.includes(job.properties.status)) return undefined;
      const answer = await client.arm("GET", `${vault}/backupJobs/${job.name}?${backupVersion}`);
      const { status, errorDetails, extendedInfo } = jobDetail.parse(answer).properties;
      if (status.startsWith("Completed")) return extendedInfo?.propertyBag ?? {};
      throw new Error(
        `the ${operation} job ended as ${status}: ${errorDetails?.[0]?.errorString ?? "no reason given"}`,
      );
    });
  };

  const itemOf = async (machineId: string): Promise<string | undefined> => {
    const { value } = itemList.parse(await client.arm("GET", `${vault}/backupProtectedItems?${backupVersion}`));
    return value.find(({ properties }) => properties.sourceResourceId.toLowerCase() === machineId.toLowerCase())?.id;
  };

  /** What becomes the protected item has the protectable one's names, as az reads them. */
  const protectable = async (machineId: string): Promise<string | undefined> => {
    const path = `${vault}/backupProtectableItems?${backupVersion}&$filter=backupManagementType eq 'AzureIaasVM'`;
    const { value } = protectableList.parse(await client.arm("GET", path.replaceAll(" ", "%20")));
    const found = value.find(({ properties }) => properties.virtualMachineId.toLowerCase() === machineId.toLowerCase());
    return found?.id.replace(/\/protectableItems\//i, "/protectedItems/");
  };

  const points = async (): Promise<z.output<typeof pointList>["value"]> => {
    const { value } = pointList.parse(await client.arm("GET", `${item}/recoveryPoints?${backupVersion}`));
    return value.toSorted((a, b) => (a.properties.recoveryPointTime < b.properties.recoveryPointTime ? 1 : -1));
  };

  return {
    addHost: async ({ host, name }) => {
      await client.arm("PUT", `${group}?${armVersion}`, { location: "local" });
      await client.armToEnd("PUT", `${group}/providers/Microsoft.Holdfast/hosts/demo-host?${hostVersion}`, {
        location: "local",
        properties: host,
      });
      return until(`the machine ${name}`, async () => {
        const path = `${group}/providers/Microsoft.Compute/virtualMachines?${computeVersion}`;
        const { value } = machineList.parse(await client.arm("GET", path));
        return value.find(({ id }) => id.toLowerCase().endsWith(`/${name}`))?.id;
      });
    },
    protect: async (machineId) => {
      await client.armToEnd("PUT", `${vault}?${vaultVersion}`, {
        location: "local",
        sku: { name: "Standard" },
        properties: { publicNetworkAccess: "Enabled" },
      });
      await client.armToEnd("PUT", `${staging}?${storageVersion}`, {
        location: "local",
        kind: "StorageV2",
        sku: { name: "Standard_LRS" },
        properties: {},
      });
      const known = await itemOf(machineId);
      item = known ?? (await until("the machine to become protectable", () => protectable(machineId)));
      if (known !== undefined) return;
      await runJob("ConfigureBackup", () =>
        client.arm("PUT", `${item}?${backupVersion}`, {
          properties: {
            protectedItemType: "Microsoft.Compute/virtualMachines",
            policyId: `${vault}/backupPolicies/DefaultPolicy`,
            sourceResourceId: machineId,
          },
        }),
      );
    },
    countPoints: async () => (await points()).length,
    backUp: async () => {
      const properties = await runJob("Backup", () =>
        client.arm("POST", `${item}/backup?${backupVersion}`, { properties: { objectType: "IaasVMBackupRequest" } }),
      );
      const [newest] = await points();
      if (newest === undefined) throw new Error("the backup ended and there is no recovery point");
      const { recoveryPointType: consistency } = newest.properties;
      return { point: newest.name, consistency, size: properties["Backup Size"] ?? "nothing" };
    },
    recoverFile: async (point, { label, path }, to) => {
      const files = `${item}/recoveryPoints/${point}/providers/Microsoft.Holdfast`;
      const { value } = volumeList.parse(await client.arm("GET", `${files}/volumes?${hostVersion}`));
      const volume = value.find((one) => one.label === label);
      if (volume === undefined) throw new Error(`the recovery point shows no file system called ${label}`);
      const answer = await client.arm("POST", `${files}/downloads?${hostVersion}`, { path: `${volume.name}/${path}` });
      await client.download(offer.parse(answer).url, to);
    },
    restoreDisk: async (point, lun, to) => {
      const target = `${subscription}/resourceGroups/demo-restored-${point}`;
      await client.arm("PUT", `${target}?${armVersion}`, { location: "local" });
      const machineId = item.slice(item.lastIndexOf("/") + 1).split(";");
      await runJob("Restore", () =>
        client.arm("POST", `${item}/recoveryPoints/${point}/restore?${backupVersion}`, {
          properties: {
            objectType: "IaasVMRestoreRequest",
            recoveryPointId: point,
            recoveryType: "RestoreDisks",
            sourceResourceId: `${group}/providers/Microsoft.Compute/virtualMachines/${machineId.at(-1)}`,
            targetResourceGroupId: target,
            storageAccountId: staging,
            region: "local",
            createNewCloudService: false,
            originalStorageAccountOption: false,
            restoreDiskLunList: [lun],
          },
        }),
      );
      const disks = restoredDisks.parse(
        await client.arm("GET", `${target}/providers/Microsoft.Compute/disks?${computeVersion}`),
      );
      const [restored] = disks.value;
      if (restored === undefined) throw new Error("the restore ended and there is no disk");
      const granted = await client.armToEnd("POST", `${restored.id}/beginGetAccess?${computeVersion}`, {
        access: "Read",
        durationInSeconds: 600,
      });
      await client.download(access.parse(granted).accessSAS, to);
      await client.armToEnd("POST", `${restored.id}/endGetAccess?${computeVersion}`);
      return restored.properties.diskSizeBytes;
    },
  };
}
