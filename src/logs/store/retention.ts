// For how long rows are kept, as it travels to the thread of logs.

export interface Retention {
  /** By the workspace's customer id; rows of others are kept. */
  readonly workspaces: ReadonlyMap<string, WorkspaceRetention>;
}

export interface WorkspaceRetention {
  /** Of its ARM resource, while it is not deleted. */
  readonly resourceId?: string;
  readonly days: number;
  /** Tables with a time of their own. */
  readonly tables: ReadonlyMap<string, number>;
}

export function daysKept({ workspaces }: Retention, workspace: string, table: string): number {
  const known = workspaces.get(workspace);
  // It may have been made a moment ago, after this list: nothing of it is dropped.
  if (known === undefined) return Infinity;
  return known.tables.get(table) ?? known.days;
}
