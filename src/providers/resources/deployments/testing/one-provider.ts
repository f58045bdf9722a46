// An Azure of one provider, whose things are made as slowly as a test wants and refused by their names, and the deployments that make them.

import assert from "node:assert/strict";
import { z } from "zod";
import { createDispatcher, type WireReply } from "../../../../arm/dispatch.ts";
import { createLocations } from "../../../../arm/locations.ts";
import { createOperationRunner } from "../../../../arm/operations/runner.ts";
import { createPaging } from "../../../../arm/paging.ts";
import { providerDirectory, type ProviderDirectory } from "../../../../arm/provider.ts";
import { ok, parseBody, type ArmRequest, type Caller, type Draft } from "../../../../arm/request.ts";
import { getResource, putResource } from "../../../../arm/resources/resource-store.ts";
import { renderResource } from "../../../../arm/resources/resource.ts";
import { createThrottle } from "../../../../arm/throttle.ts";
import type { Database } from "../../../../db/database.ts";
import { createSubscription, createTenant } from "../../../../identity/directory/tenants.ts";
import type { Access } from "../../../../identity/access/access.ts";
import { systemClock } from "../../../../lib/clock.ts";
import { defineErrors } from "../../../../lib/errors.ts";
import { randomBytes } from "../../../../lib/random.ts";
import { secretBox } from "../../../../lib/secret-box.ts";
import { waitFor } from "../../../../lib/time.ts";
import type { Services } from "../../../services.ts";
import { createInProcessClient } from "../in-process-client.ts";
import { deploymentsProvider } from "../provider.ts";

const subscriptionId = "00000000-1111-2222-3333-444444444444";
const tenantId = "99999999-1111-2222-3333-444444444444";
export const group = `/subscriptions/${subscriptionId}/resourceGroups/rg1`;
const caller: Caller = {
  principalId: "p",
  principalType: "User",
  name: "someone@example.com",
  applicationId: "a",
  tenantId,
  claims: {},
};
const key = randomBytes(32);
const errors = defineErrors({ QuotaExceeded: { status: 409 } });

// oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into freely by tests
export type Answer = any;

export interface World extends AsyncDisposable {
  readonly puts: string[];
  /** Lets the put of the thing with this name wait. */
  readonly gates: Map<string, Promise<void>>;
  /** The record of a deployment that has ended. */
  ended(name: string): Promise<Answer>;
  call(
    method: string,
    path: string,
    text?: string,
  ): Promise<{ status: number; json: Answer; headers: Record<string, string> }>;
}

export async function world(database: Database): Promise<World> {
  const puts: string[] = [];
  const gates = new Map<string, Promise<void>>();
  const runner = createOperationRunner({
    database,
    holder: "test",
    atOnce: 8,
    report: (error) => assert.fail(String(error)),
  });
  const allows = (_action: string, scope: string): boolean => !scope.includes("forbidden");
  const access = { check: async () => {}, grantsOf: async () => ({ allows }) } as unknown as Access;
  const services: Services = {
    database,
    paging: createPaging(key),
    locations: createLocations("local"),
    access,
    operations: runner,
    tenantId,
  };
  const client = createInProcessClient();
  const path = `${group.replace(subscriptionId, "{subscriptionId}").replace("rg1", "{resourceGroup}")}/providers/Microsoft.Test/things/{name}`;
  const things = {
    namespace: "Microsoft.Test",
    resourceTypes: [{ name: "things", apiVersions: ["2024-01-01"] }],
    routes: [
      {
        method: "PUT" as const,
        path,
        check: (draft: Draft) => {
          const { properties } = parseBody(
            draft,
            z.object({ properties: z.object({ size: z.int() }).partial().nullish() }),
          );
          if (properties?.size === 13) throw errors.QuotaExceeded("Nothing has this size.");
        },
        handle: async (request: ArmRequest) => {
          const name = request.resourceId.split("/").at(-1) ?? "";
          puts.push(name);
          await gates.get(name);
          if (name.startsWith("bad")) throw errors.QuotaExceeded("No more things.");
          const body = request.body as { properties?: object; location?: string };
          const { resource } = await database.transaction((trx) =>
            putResource(
              trx,
              { id: request.resourceId, location: body.location, properties: body.properties ?? {}, tracked: true },
              { caller, clock: database.clock },
            ),
          );
          return ok(renderResource(resource));
        },
      },
      {
        method: "GET" as const,
        path,
        handle: async (request: { resourceId: string }) =>
          ok(renderResource(await getResource(database.kysely, request.resourceId))),
      },
    ],
  };
  const directory: ProviderDirectory = providerDirectory([
    things,
    deploymentsProvider({ services, client, secretBox: secretBox(key), directory: () => directory }),
  ]);
  const dispatcher = createDispatcher({
    database,
    directory,
    throttle: createThrottle({ perSecond: 1e6, burst: 1e6 }, systemClock),
    authenticate: client.authenticate(async () => caller),
    authorize: async () => {},
    report: (error) => assert.fail(error instanceof Error ? error.stack : String(error)),
  });
  client.connect(dispatcher);
  await runner.start();
  const call = async (method: string, target: string, text = "") => {
    const reply: WireReply = await dispatcher.handle({
      method,
      target: `${target}${target.includes("?") ? "&" : "?"}api-version=2021-04-01`,
      origin: "https://localhost:8443",
      clientAddress: undefined,
      signal: new AbortController().signal,
      header: () => undefined,
      text: async () => text,
    });
    return {
      status: reply.status,
      json: reply.body === undefined ? {} : JSON.parse(reply.body),
      headers: reply.headers,
    };
  };
  const ended = async (name: string): Promise<Answer> =>
    waitFor(
      `the end of ${name}`,
      async () => {
        const { json } = await call("GET", `${one}/${name}`);
        return ["Succeeded", "Failed", "Canceled"].includes(json["properties"]?.provisioningState) ? json : undefined;
      },
      120_000,
      10,
    );
  return { puts, gates, ended, call, [Symbol.asyncDispose]: () => runner[Symbol.asyncDispose]() };
}

export async function seed(database: Database): Promise<void> {
  await database.transaction(async (trx) => {
    await createTenant(trx, { id: tenantId, displayName: "T", defaultDomain: "t.local", isDefault: true });
    await createSubscription(trx, { id: subscriptionId, tenantId, displayName: "S" });
    await putResource(trx, { id: group, location: "westeurope", properties: {} }, { caller, clock: database.clock });
  });
}

export const thing = (name: string, more = ""): string =>
  `{ type: "Microsoft.Test/things", apiVersion: "2024-01-01", name: "${name}", location: "[resourceGroup().location]" ${more} }`;

/** The body as az sends it: the template's text under a bare key. */
export const body = (resources: string, more = "", parameters = "{}"): string =>
  `{"properties": {"parameters": ${parameters}, "mode": "Incremental", template:{ // comment\r\n "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0", ${more} "resources": [${resources}] }}}`;

export const one = `${group}/providers/Microsoft.Resources/deployments`;
