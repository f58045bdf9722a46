// A service of its own for a test file, in this process.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startService, type Service } from "../../src/server/service.ts";
import { readSettings } from "../../src/server/settings.ts";
import { clientFor, type TestClient } from "../support/client.ts";
import type { Answer } from "../support/service.ts";

export interface Rig extends AsyncDisposable {
  readonly service: Service;
  readonly client: TestClient;
  readonly data: string;
  readonly group: string;
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Below Microsoft.RecoveryServices/vaults of the rig's group. */
  vault(method: string, path: string, body?: unknown): Promise<Answer>;
}

export async function startRig(): Promise<Rig> {
  const data = await mkdtemp(join(tmpdir(), "holdfast-vaults-"));
  const service = await startService(
    await readSettings({ data, listen: "127.0.0.1:0" }, { HOLDFAST_LOG_LEVEL: "error" }),
  );
  const client = await clientFor(service.running, data);
  const group = `/subscriptions/${service.running.subscriptionId}/resourceGroups/rg1`;
  const call = (method: string, path: string, body?: unknown): Promise<Answer> =>
    client.call(method, `${path}${path.includes("?") ? "&" : "?"}api-version=2023-06-01`, { body });
  await call("PUT", group, { location: "eastus" });
  return {
    service,
    client,
    data,
    group,
    call,
    vault: (method, path, body) => call(method, `${group}/providers/Microsoft.RecoveryServices/vaults/${path}`, body),
    [Symbol.asyncDispose]: async () => {
      await service.stop();
      await rm(data, { recursive: true, force: true });
    },
  };
}
