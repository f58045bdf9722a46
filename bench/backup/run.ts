// Lists and the scheduler at size: `node bench/backup/run.ts`. A vault with 1,000 items, 10,000 jobs and
// 10,000 points of one item; what a page costs over the wire, and what one look of the scheduler costs.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { policyMemory, tick } from "../../src/backup/scheduler/scheduler.ts";
import type { Tables } from "../../src/db/schema.ts";
import { openDatabase } from "../../src/db/database.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { newGuid } from "../../src/lib/random.ts";
import { dataFolder } from "../../src/server/data-folder.ts";
import { startTestService } from "../../test/support/service.ts";

const itemCount = 1_000;
const rowCount = 10_000;
const version = "api-version=2023-06-01";
const data = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
try {
  let group = "";
  {
    await using service = await startTestService({ data, keepData: true });
    group = `/subscriptions/${service.admin.subscriptionId}/resourceGroups/lab`;
    await service.call("PUT", `${group}?${version}`, { body: { location: "eastus" } });
    await service.call("PUT", `${group}/providers/Microsoft.RecoveryServices/vaults/v1?${version}`, {
      body: { location: "eastus", sku: { name: "Standard" }, properties: {} },
    });
  }
  const vaultId = `${group}/providers/Microsoft.RecoveryServices/vaults/v1`;
  await fill(vaultId);
  const name = "iaasvmcontainerv2%3Blab%3Bvm0";
  const item = `/backupFabrics/Azure/protectionContainers/IaasVMContainer%3B${name}/protectedItems/VM%3B${name}`;
  await using service = await startTestService({ data, keepData: true });
  for (const [what, path] of [
    ["jobs", "/backupJobs"],
    ["items", "/backupProtectedItems"],
    ["items, 1,000 a page", "/backupProtectedItems?$top=1000"],
    ["points", `${item}/recoveryPoints`],
  ]) {
    const times: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      let next: string | undefined = `${vaultId}${path}${path?.includes("?") === true ? "&" : "?"}${version}`;
      while (next !== undefined) {
        const from = performance.now();
        const { json, status, text } = await service.call("GET", next);
        times.push(performance.now() - from);
        if (status !== 200) throw new Error(text);
        next = (json as { nextLink?: string }).nextLink?.slice(service.endpoint.length);
      }
    }
    process.stdout.write(`${what}: ${times.length} pages, ${percentiles(times)}\n`);
  }
} finally {
  rmSync(data, { recursive: true, force: true });
}

async function fill(vaultId: string): Promise<void> {
  await using database = await openDatabase({ file: dataFolder(data).database, clock: systemClock });
  const now = systemClock.now();
  const vaultKey = vaultId.toLowerCase();
  const group = vaultId.split("/").slice(0, 5).join("/");
  const items = Array.from({ length: itemCount }, (_, number): Tables["protected_items"] => {
    const machine = `${group}/providers/Microsoft.Compute/virtualMachines/vm${number}`;
    const names = `iaasvmcontainerv2;lab;vm${number}`;
    const id = `${vaultId}/backupFabrics/Azure/protectionContainers/IaasVMContainer;${names}/protectedItems/VM;${names}`;
    return {
      key: id.toLowerCase(),
      id,
      vault_key: vaultKey,
      item_id: newGuid(),
      store_item: `vm${number}`,
      machine_key: machine.toLowerCase(),
      machine_id: machine,
      friendly_name: `vm${number}`,
      policy_key: "defaultpolicy",
      state: "Protected",
      disks: null,
      last_run_at: now,
      last_backup_status: "Completed",
      last_backup_at: now,
      last_error: null,
      point_count: 1,
      oldest_point_at: now,
      newest_point_at: now,
      purge_at: null,
      deleted_at: null,
      soft_delete_days: null,
      created_at: now,
      changed_at: now,
    };
  });
  const itemKey = items[0]?.key ?? "";
  const tasks = JSON.stringify(
    ["Take Snapshot", "Transfer data to vault"].map((taskId) => ({
      taskId,
      status: "Completed",
      startTime: now,
      endTime: now,
      progressPercentage: 100,
    })),
  );
  const jobs = Array.from({ length: rowCount }, (_, number): Tables["jobs"] => ({
    id: newGuid(),
    vault_key: vaultKey,
    item_key: itemKey,
    item_name: "vm0",
    container_name: "iaasvmcontainerv2;lab;vm0",
    exclusive_key: null,
    host_id: null,
    operation: "Backup",
    status: "Completed",
    started_at: now - number * 60_000,
    ended_at: now,
    is_user_triggered: 0,
    is_cancellable: 0,
    correlation_id: newGuid(),
    actor: "bench",
    run_after: now,
    attempt: 1,
    input: "{}",
    checkpoint: null,
    tasks,
    properties: JSON.stringify({ "VM Name": "vm0", "Policy Name": "DefaultPolicy", "Backup Size": "12 MB" }),
    sub_steps: "[]",
    warnings: "[]",
    errors: "[]",
    percent: 100,
  }));
  const facts = JSON.stringify({
    osType: "Linux",
    vmSize: "Standard_B2s",
    disks: [{ id: "sys", name: "sys", lun: -1, sizeBytes: 1 }],
    excluded: [],
    cutMilliseconds: 3,
    remarks: [],
    policyName: "DefaultPolicy",
  });
  const points = Array.from({ length: rowCount }, (_, number): Tables["recovery_points"] => ({
    id: String(number).padStart(18, "0"),
    vault_key: vaultKey,
    item_key: itemKey,
    job_id: newGuid(),
    store_point: `vm0/${String(number).padStart(15, "0")}-0000000000000000`,
    taken_at: now - number * 3_600_000,
    is_in_snapshot_tier: 0,
    is_in_vault_tier: 1,
    consistency: "FileSystemConsistent",
    origin: "scheduled",
    due_at: now,
    marks: null,
    expires_at: null,
    rule: "daily",
    keep_until: now,
    facts,
    problems: null,
    verified_at: null,
    is_soft_deleted: 0,
    keys: null,
    recovery_session_until: null,
  }));
  await database.transaction(async (trx) => {
    const slices = <T>(rows: readonly T[]): T[][] =>
      Array.from({ length: Math.ceil(rows.length / 500) }, (_, at) => rows.slice(at * 500, at * 500 + 500));
    for (const rows of slices(items)) await trx.insertInto("protected_items").values(rows).execute();
    for (const rows of slices(jobs)) await trx.insertInto("jobs").values(rows).execute();
    for (const rows of slices(points)) await trx.insertInto("recovery_points").values(rows).execute();
  });
  const memory = policyMemory();
  const times: number[] = [];
  for (let round = 0; round < 50; round += 1) {
    const from = performance.now();
    await tick(database, memory);
    times.push(performance.now() - from);
  }
  process.stdout.write(`scheduler, ${itemCount} items, none due: ${percentiles(times)}\n`);
  // All of them due at once.
  await database.kysely.updateTable("protected_items").set({ last_run_at: 0 }).execute();
  await database.kysely.updateTable("policies").set({ changed_at: 0, etag: newGuid() }).execute();
  const from = performance.now();
  const begun = await tick(database, memory);
  process.stdout.write(
    `scheduler, ${begun} items due at once: ${Math.round(performance.now() - from)} ms to begin all\n`,
  );
  await database.kysely.deleteFrom("jobs").where("status", "=", "InProgress").execute();
}

function percentiles(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (fraction: number): string => (sorted[Math.floor(sorted.length * fraction)] ?? 0).toFixed(1);
  return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, worst ${(sorted.at(-1) ?? 0).toFixed(1)} ms`;
}
