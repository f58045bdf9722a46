// Every migration, in the order in which they are applied. Append only: what a release has applied
// never changes.

import type { Migration } from "./migration.ts";
import { leases } from "./migrations/0001-leases.ts";
import { identity } from "./migrations/0002-identity.ts";
import { arm } from "./migrations/0003-arm.ts";
import { outbox } from "./migrations/0004-outbox.ts";
import { events } from "./migrations/0005-events.ts";
import { blobs } from "./migrations/0006-blobs.ts";
import { keyVault } from "./migrations/0007-key-vault.ts";
import { inventory } from "./migrations/0008-inventory.ts";
import { backup } from "./migrations/0009-backup.ts";
import { disks } from "./migrations/0010-disks.ts";
import { vaults } from "./migrations/0012-vaults.ts";
import { monitor } from "./migrations/0014-monitor.ts";
import { owedTransfers } from "./migrations/0019-owed-transfers.ts";
import { blobAccountNetwork } from "./migrations/0020-blob-account-network.ts";
import { deletionTime } from "./migrations/0021-deletion-time.ts";

export const migrations: readonly Migration[] = [
  leases,
  identity,
  arm,
  outbox,
  events,
  blobs,
  keyVault,
  inventory,
  backup,
  disks,
  vaults,
  monitor,
  owedTransfers,
  blobAccountNetwork,
  deletionTime,
];
