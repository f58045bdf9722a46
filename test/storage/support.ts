// A real service with storage accounts, and Microsoft's client for them.

import { BlobServiceClient, StorageSharedKeyCredential } from "@azure/storage-blob";
import { readFile } from "node:fs/promises";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { startTestService, type ServiceOptions, type TestService } from "../support/service.ts";

export const version = "api-version=2022-09-01";

export interface StorageService {
  readonly service: TestService;
  /** Path of the resource group on the management API. */
  readonly group: string;
}

export async function startStorage(options: ServiceOptions = {}): Promise<StorageService> {
  const service = await startTestService(options);
  await trust(service);
  const group = `/subscriptions/${service.admin.subscriptionId}/resourceGroups/blobs`;
  await expectStatus(service, "PUT", `${group}?${version}`, { location: "local" }, [200, 201]);
  return { service, group };
}

/** Clients of this process accept the service's certificate. */
export async function trust(service: TestService): Promise<void> {
  setDefaultCACertificates([...getCACertificates("default"), await readFile(service.ca, "utf8")]);
}

export interface TestAccount {
  readonly name: string;
  readonly path: string;
  readonly credential: StorageSharedKeyCredential;
  readonly client: BlobServiceClient;
}

export async function createAccount(
  { service, group }: StorageService,
  name: string,
  properties: object = {},
): Promise<TestAccount> {
  const path = `${group}/providers/Microsoft.Storage/storageAccounts/${name}`;
  const body = { location: "local", sku: { name: "Standard_LRS" }, kind: "StorageV2", properties };
  const made = await expectStatus(service, "PUT", `${path}?${version}`, body, [200]);
  const { keys } = await expectStatus(service, "POST", `${path}/listKeys?${version}&$expand=kerb`, undefined, [200]);
  const credential = new StorageSharedKeyCredential(name, keys[0].value);
  return {
    name,
    path,
    credential,
    client: new BlobServiceClient(made.properties.primaryEndpoints.blob, credential, { retryOptions: { maxTries: 1 } }),
  };
}

export async function expectStatus(
  service: TestService,
  method: string,
  path: string,
  body: unknown,
  statuses: readonly number[],
  // oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into freely by tests
): Promise<any> {
  const answer = await service.call(method, path, { body });
  if (!statuses.includes(answer.status)) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  return answer.text === "" ? undefined : answer.json;
}

/** The code and status that the client's call fails with. */
export async function failure(pending: Promise<unknown>): Promise<{ code: string; status: number }> {
  try {
    await pending;
  } catch (error) {
    const seen = error as { code?: string; statusCode?: number; details?: { errorCode?: string } };
    return { code: seen.details?.errorCode ?? seen.code ?? String(error), status: seen.statusCode ?? 0 };
  }
  throw new Error("it did not fail");
}
