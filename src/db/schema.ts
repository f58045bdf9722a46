// Every table of the control data. To add one: docs/control-data.md.

import type { ArmTables } from "./schema/arm.ts";
import type { IdentityTables } from "./schema/identity.ts";
import type { LeaseTables } from "./schema/leases.ts";
import type { MigrationTables } from "./schema/migrations.ts";

export interface Tables extends IdentityTables, MigrationTables, LeaseTables, ArmTables {}
