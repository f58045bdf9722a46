export interface MigrationTables {
  readonly schema_migrations: MigrationRow;
}

interface MigrationRow {
  readonly name: string;
  readonly applied_at: number;
}
