import type { Database } from "../db/database.ts";
import type { SecretBox } from "../lib/secret-box.ts";

export interface KeyStore {
  readonly database: Database;
  readonly secretBox: SecretBox;
}
