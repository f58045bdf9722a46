// What a query editor wants to know of a workspace: tables, columns, functions.

import type { ColumnSchema } from "../../kql/index.ts";
import type { QueryWorkspace } from "../query/query-workspace.ts";
import { logTables } from "../schema/tables.ts";

export async function metadataOf(
  workspaces: readonly QueryWorkspace[],
  columnsOf: (workspace: string, table: string) => Promise<readonly ColumnSchema[]>,
): Promise<object> {
  const [first] = workspaces;
  const tables = first === undefined ? [] : logTables.filter(({ name }) => first.tables?.includes(name) !== false);
  const vaults = "microsoft.recoveryservices/vaults";
  return {
    tables: await Promise.all(
      tables.map(async ({ name }) => ({
        id: `t/${name}`,
        name,
        timespanColumn: "TimeGenerated",
        columns: (await columnsOf(first?.customerId ?? "", name)).map((column) => ({ ...column })),
        related: { categories: ["c/backup"], resourceTypes: [vaults], solutions: ["s/LogManagement"] },
      })),
    ),
    functions: (first?.functions ?? []).map(({ name, parameters, body }) => ({
      id: `f/${name}`,
      name,
      displayName: name,
      body,
      ...(parameters === "" ? {} : { parameters }),
    })),
    categories: [{ id: "c/backup", displayName: "Backup" }],
    solutions: [{ id: "s/LogManagement", name: "LogManagement", displayName: "Log Management" }],
    resourceTypes: [{ id: vaults, type: vaults, displayName: "Recovery Services vaults" }],
    workspaces: workspaces.map(({ customerId, id, name, location }) => ({
      id: customerId,
      resourceId: id,
      name,
      region: location,
    })),
  };
}
