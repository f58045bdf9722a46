import { PostgresDialect, type Dialect } from "kysely";
import { Pool } from "pg";
import { postgresTypes } from "./types.ts";

const connectTimeoutMilliseconds = 10_000;
/** A process that stalls in the middle of a transaction must not hold its locks for ever. */
const stalledTransactionMilliseconds = 60_000;

/** `report` hears of connections that broke; the next query opens a new one. */
export function postgresDialect(
  url: string,
  connections: number,
  report: (error: Error) => void,
): { dialect: Dialect; pool: Pool } {
  const pool = new Pool({
    connectionString: url,
    max: connections,
    application_name: "holdfast",
    connectionTimeoutMillis: connectTimeoutMilliseconds,
    idle_in_transaction_session_timeout: stalledTransactionMilliseconds,
    types: postgresTypes,
  });
  // A connection that breaks while a transaction holds it has no other listener, and an error without
  // a listener would end the process. The pool's own event only repeats what the connection said.
  pool.on("connect", (client) => client.on("error", report));
  pool.on("error", () => {});
  return { dialect: new PostgresDialect({ pool }), pool };
}
