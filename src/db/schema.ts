// Every table of the control data. To add one: docs/control-data.md.

import type { ArmTables } from "./schema/arm.ts";
import type { BackupTables } from "./schema/backup.ts";
import type { BlobTables } from "./schema/blobs.ts";
import type { DeletionTimeTables } from "./schema/deletion-time.ts";
import type { DiskTables } from "./schema/disks.ts";
import type { EventTables } from "./schema/events.ts";
import type { IdentityTables } from "./schema/identity.ts";
import type { InventoryTables } from "./schema/inventory.ts";
import type { KeyVaultTables } from "./schema/key-vault.ts";
import type { LeaseTables } from "./schema/leases.ts";
import type { MigrationTables } from "./schema/migrations.ts";
import type { MonitorTables } from "./schema/monitor.ts";
import type { OutboxTables } from "./schema/outbox.ts";
import type { VaultTables } from "./schema/vaults.ts";

export interface Tables
  extends
    IdentityTables,
    MigrationTables,
    LeaseTables,
    OutboxTables,
    EventTables,
    ArmTables,
    BackupTables,
    BlobTables,
    DeletionTimeTables,
    DiskTables,
    InventoryTables,
    KeyVaultTables,
    MonitorTables,
    VaultTables {}
