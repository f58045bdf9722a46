import type { Agent as HttpAgent } from "node:http";
import type { Agent as HttpsAgent } from "node:https";

/** What connections to a service are made through, where the caller has a say in it. */
export interface ServiceAgents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}
