// Reads take what a reader can be (the database or an open transaction); changes take a transaction.

import type { Kysely, Transaction } from "kysely";
import type { Tables } from "../db/schema.ts";

export type Reading = Kysely<Tables>;
export type Writing = Transaction<Tables>;
