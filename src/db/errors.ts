import { defineErrors } from "../lib/errors.ts";

export const databaseErrors = defineErrors({
  DatabaseUrlInvalid: {
    status: 400,
    remedy: "Give postgresql://user:password@host:port/database, or leave the URL away to use SQLite.",
  },
  DatabaseUnusable: { status: 503, remedy: "See that it is there, that we may use it, and that it is a database." },
  DatabaseFromTheFuture: {
    status: 500,
    remedy: "Start a release that is at least as new as the one that wrote it, or restore a backup made before.",
  },
  DatabaseBusy: { status: 503, remedy: "Try again; if it stays so, look for the transaction that does not end." },
  DatabaseClosed: { status: 503 },
  TransactionNested: { status: 500, remedy: "Hand the open transaction down instead." },
  TransactionEnded: { status: 500, remedy: "Await every query of a transaction inside its work." },
  TransactionForeign: { status: 500, remedy: "Open it with Database.transaction." },
});
