// What the providers of logs are built from.

import type { Logs } from "../../logs/logs.ts";
import type { SecretBox } from "../../lib/secret-box.ts";
import type { Services } from "../services.ts";

export interface LogServices extends Services {
  readonly logs: Logs;
  readonly secretBox: SecretBox;
}
