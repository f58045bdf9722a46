export interface LeaseTables {
  leases: LeaseRow;
}

interface LeaseRow {
  /** What is leased: `job/<id>`, `subscriber/<name>`. */
  name: string;
  holder: string;
  /** Grows with every new holder and never falls, also over releases. */
  fence: number;
  acquired_at: number;
  /** 0 when released. */
  expires_at: number;
}
