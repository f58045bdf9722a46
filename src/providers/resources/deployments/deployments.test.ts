import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { z } from "zod";
import { createDispatcher, type Dispatcher, type WireReply } from "../../../arm/dispatch.ts";
import { createLocations } from "../../../arm/locations.ts";
import { createOperationRunner, type OperationRunner } from "../../../arm/operations/runner.ts";
import { createPaging } from "../../../arm/paging.ts";
import { providerDirectory, type ProviderDirectory } from "../../../arm/provider.ts";
import { ok, parseBody, type ArmRequest, type Caller, type Draft } from "../../../arm/request.ts";
import { getResource, putResource } from "../../../arm/resources/resource-store.ts";
import { renderResource } from "../../../arm/resources/resource.ts";
import { createThrottle } from "../../../arm/throttle.ts";
import { openDatabase, type Database } from "../../../db/database.ts";
import { temporaryDatabase } from "../../../db/testing/temporary-database.ts";
import { createSubscription, createTenant } from "../../../identity/directory/tenants.ts";
import type { Access } from "../../../identity/access/access.ts";
import { systemClock } from "../../../lib/clock.ts";
import { defineErrors } from "../../../lib/errors.ts";
import { randomBytes } from "../../../lib/random.ts";
import { secretBox } from "../../../lib/secret-box.ts";
import { waitFor } from "../../../lib/time.ts";
import type { Services } from "../../services.ts";
import { createInProcessClient } from "./in-process-client.ts";
import { templateLoader } from "./linked-templates.ts";
import { deploymentsProvider } from "./provider.ts";

const subscriptionId = "00000000-1111-2222-3333-444444444444";
const tenantId = "99999999-1111-2222-3333-444444444444";
const group = `/subscriptions/${subscriptionId}/resourceGroups/rg1`;
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
type Answer = any;

interface World extends AsyncDisposable {
  readonly dispatcher: Dispatcher;
  readonly runner: OperationRunner;
  readonly puts: string[];
  /** Lets the put of the thing with this name wait. */
  readonly gates: Map<string, Promise<void>>;
  call(
    method: string,
    path: string,
    text?: string,
  ): Promise<{ status: number; json: Answer; headers: Record<string, string> }>;
}

async function world(database: Database): Promise<World> {
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
  return { dispatcher, runner, puts, gates, call, [Symbol.asyncDispose]: () => runner[Symbol.asyncDispose]() };
}

async function seed(database: Database): Promise<void> {
  await database.transaction(async (trx) => {
    await createTenant(trx, { id: tenantId, displayName: "T", defaultDomain: "t.local", isDefault: true });
    await createSubscription(trx, { id: subscriptionId, tenantId, displayName: "S" });
    await putResource(trx, { id: group, location: "westeurope", properties: {} }, { caller, clock: database.clock });
  });
}

const thing = (name: string, more = ""): string =>
  `{ type: "Microsoft.Test/things", apiVersion: "2024-01-01", name: "${name}", location: "[resourceGroup().location]" ${more} }`;

/** The body as az sends it: the template's text under a bare key. */
const body = (resources: string, more = "", parameters = "{}"): string =>
  `{"properties": {"parameters": ${parameters}, "mode": "Incremental", template:{ // comment\r\n "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0", ${more} "resources": [${resources}] }}}`;

const one = `${group}/providers/Microsoft.Resources/deployments`;

let database: Awaited<ReturnType<typeof temporaryDatabase>>;
let azure: World;

before(async () => {
  database = await temporaryDatabase();
  await seed(database);
  azure = await world(database);
});

after(async () => {
  await azure[Symbol.asyncDispose]();
  await database.close();
});

async function ended(name: string): Promise<Answer> {
  return waitFor(
    `the end of ${name}`,
    async () => {
      const { json } = await azure.call("GET", `${one}/${name}`);
      return ["Succeeded", "Failed", "Canceled"].includes(json["properties"]?.provisioningState) ? json : undefined;
    },
    120_000,
    10,
  );
}

test("a template with a type that is not here is refused whole, before anything is made", async () => {
  const nested = `{ type: "Microsoft.Resources/deployments", apiVersion: "2021-04-01", name: "inner", properties: { mode: "Incremental", template: { "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", contentVersion: "1.0.0.0", resources: [{ type: "Microsoft.Sql/servers", apiVersion: "2021-11-01", name: "s" }] } } }`;
  const strange = `{ type: "Microsoft.Test/nothings", apiVersion: "2024-01-01", name: "n" }`;
  const old = `{ type: "Microsoft.Test/things", apiVersion: "1999-01-01", name: "old" }`;
  const text = body(`${thing("never")}, ${strange}, ${old}, ${nested}`);
  const [validated, put] = [
    await azure.call("POST", `${one}/strange/validate`, text),
    await azure.call("PUT", `${one}/strange`, text),
  ];
  for (const { status, json } of [validated, put]) {
    assert.equal(status, 400);
    assert.equal(json["error"].code, "InvalidTemplateDeployment");
    assert.deepEqual(
      json["error"].details.map(({ code }: { code: string }) => code),
      ["InvalidResourceType", "InvalidApiVersionParameter", "InvalidResourceNamespace"],
    );
  }
  assert.ok(!azure.puts.includes("never"));
  assert.equal((await azure.call("GET", `${one}/strange`)).status, 404);
});

test("providers are asked about every body that is known beforehand, before anything is made", async () => {
  const sized = (name: string, size: string): string => thing(name, `, properties: { size: ${size} }`);
  const loop = sized("l", '"[add(copyIndex(), 12)]"').replace(
    'name: "l"',
    `name: "[concat('l', copyIndex())]", copy: { name: "l", count: 2 }`,
  );
  const late = sized("late", "\"[reference('never').size]\"");
  const { status, json } = await azure.call(
    "PUT",
    `${one}/wrong-bodies`,
    body(`${thing("never")}, ${loop}, ${sized("text", '"large"')}, ${late}`),
  );
  assert.equal(status, 400);
  assert.deepEqual(
    json["error"].details.map(({ code, target }: Answer) => [code, target.split("/").at(-1)]),
    [
      ["QuotaExceeded", "l1"],
      ["InvalidRequestContent", "text"],
    ],
  );
  assert.ok(!azure.puts.includes("never"));
});

test("a nested deployment needs a group that is there", async () => {
  const nested = `{ type: "Microsoft.Resources/deployments", apiVersion: "2021-04-01", name: "inner", resourceGroup: "nowhere", properties: { mode: "Incremental", template: { "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", contentVersion: "1.0.0.0", resources: [] } } }`;
  const { status, json } = await azure.call("PUT", `${one}/no-group`, body(`${thing("never")}, ${nested}`));
  assert.equal(status, 400);
  assert.deepEqual(
    json["error"].details.map(({ code }: Answer) => code),
    ["ResourceGroupNotFound"],
  );
  assert.ok(!azure.puts.includes("never"));
});

test("what the one who deploys may not write is told before anything is made", async () => {
  const { status, json } = await azure.call(
    "PUT",
    `${one}/not-allowed`,
    body(`${thing("never")}, ${thing("forbidden")}`),
  );
  assert.equal(status, 403);
  assert.equal(json["error"].code, "InvalidTemplateDeployment");
  assert.match(
    json["error"].message,
    /'Authorization failed for template resource 'forbidden' of type 'Microsoft.Test\/things'.*'Microsoft.Test\/things\/write'/,
  );
  assert.ok(!azure.puts.includes("never"));
});

test("a deployment as az sends it: 201, status, the record, its operations by both paths, and again as 200", async () => {
  const text = body(
    `${thing("a", ", properties: { size: \"[parameters('size')]\" }")}, ${thing("b", ', dependsOn: ["a"], properties: { of: "[reference(\'a\').size]" }')}`,
    '"parameters": { "size": { "type": "int" }, "pw": { "type": "securestring" } }, "outputs": { "of": { "type": "int", "value": "[reference(\'b\').of]" } },',
    '{"size": {"value": 3}, "pw": {"value": "hush-hush"}}',
  );
  assert.equal(
    (await azure.call("POST", `${one}/first/validate`, text)).json["properties"].validatedResources.length,
    2,
  );
  const put = await azure.call("PUT", `${one}/first`, text);
  assert.equal(put.status, 201, JSON.stringify(put.json));
  const statusPath = new URL(put.headers["Azure-AsyncOperation"] ?? "").pathname;
  const done = await ended("first");
  assert.equal(
    (
      await waitFor(
        "status",
        async () => {
          const { json } = await azure.call("GET", statusPath);
          return json["status"] === "InProgress" ? undefined : json;
        },
        120_000,
        10,
      )
    )["status"],
    "Succeeded",
  );
  assert.deepEqual(done["properties"].outputs, { of: { type: "Int", value: 3 } });
  assert.deepEqual(done["properties"].parameters, { size: { type: "Int", value: 3 }, pw: { type: "SecureString" } });
  assert.deepEqual(
    done["properties"].outputResources.map(({ id }: { id: string }) => id.split("/").at(-1)),
    ["a", "b"],
  );
  assert.match(done["properties"].duration, /^PT[\d.]+S$/);
  for (const path of [`${one}/first/operations`, `${group}/deployments/first/operations`]) {
    const { json } = await azure.call("GET", path);
    assert.deepEqual(
      json["value"]
        .map((operation: Answer) => [
          operation.properties.targetResource?.resourceName,
          operation.properties.provisioningOperation,
          operation.properties.provisioningState,
        ])
        .sort(),
      [
        ["a", "Create", "Succeeded"],
        ["b", "Create", "Succeeded"],
        [undefined, "EvaluateDeploymentOutput", "Succeeded"],
      ].sort(),
    );
    assert.equal((await azure.call("GET", `${path}/${json["value"][0].operationId}`)).status, 200);
  }
  const rows = await database.kysely.selectFrom("resources").selectAll().execute();
  assert.ok(!JSON.stringify(rows).includes("hush-hush"));
  assert.equal((await azure.call("PUT", `${one}/first`, text)).status, 200);
  await ended("first");
  assert.equal((await azure.call("HEAD", `${one}/first`)).status, 204);
  assert.equal(
    (await azure.call("GET", `${one}/?$filter=provisioningState eq 'Succeeded'&$top=5`)).json["value"].length,
    1,
  );
  assert.equal((await azure.call("POST", `${one}/first/exportTemplate`)).json["template"].contentVersion, "1.0.0.0");
  assert.equal((await azure.call("DELETE", `${one}/first`)).status, 204);
  assert.equal((await azure.call("GET", `${one}/first`)).json["error"].code, "DeploymentNotFound");
  assert.equal((await azure.call("HEAD", `${one}/first`)).status, 404);
});

test("what a default value made once stays: newGuid() is the same in the record and in the resource", async () => {
  const defaults = '"parameters": { "id": { "type": "string", "defaultValue": "[newGuid()]" } },';
  await azure.call(
    "PUT",
    `${one}/pinned`,
    body(thing("pinned", ", properties: { id: \"[parameters('id')]\" }"), defaults),
  );
  const { properties } = await ended("pinned");
  const made = await azure.call("GET", `${group}/providers/Microsoft.Test/things/pinned`);
  assert.equal(made.json["properties"].id, properties.parameters.id.value);
});

test("a template that is wrong is refused before anything begins, with its line", async () => {
  const { status, json } = await azure.call(
    "PUT",
    `${one}/wrong`,
    body(thing("x", ', properties: { y: "[nosuch()]" }')),
  );
  assert.equal(status, 400);
  assert.equal(json["error"].code, "InvalidTemplate");
  assert.match(json["error"].message, /'x' at line '2' and column '\d+' is not valid: The template function 'nosuch'/);
  assert.equal((await azure.call("GET", `${one}/wrong`)).status, 404);
});

test("a provider's refusal fails the deployment with its code", async () => {
  await azure.call("PUT", `${one}/fails`, body(thing("bad1")));
  const { properties } = (await ended("fails")) as { properties: Answer };
  assert.equal(properties.provisioningState, "Failed");
  assert.equal(properties.error.code, "DeploymentFailed");
  assert.deepEqual(
    [properties.error.details[0].code, properties.error.details[0].message],
    ["QuotaExceeded", "No more things."],
  );
});

test("what-if compares with what is there", async () => {
  const { json } = await azure.call(
    "POST",
    `${one}/ask/whatIf`,
    body(`${thing("a", ", properties: { size: 4 }")}, ${thing("new")}`),
  );
  assert.deepEqual(
    json["properties"].changes.map((change: Answer) => [change.resourceId.split("/").at(-1), change.changeType]),
    [
      ["a", "Modify"],
      ["new", "Create"],
      ["b", "Ignore"],
      ["pinned", "Ignore"],
    ],
  );
});

test("while a deployment runs it can't be replaced, and it can be cancelled", async () => {
  const gate = Promise.withResolvers<void>();
  azure.gates.set("slow", gate.promise);
  await azure.call("PUT", `${one}/long`, body(`${thing("slow")}, ${thing("never", ', dependsOn: ["slow"]')}`));
  await waitFor("the put", () => (azure.puts.includes("slow") ? true : undefined), 120_000, 10);
  assert.equal((await azure.call("PUT", `${one}/long`, body(thing("slow")))).json["error"].code, "DeploymentActive");
  assert.equal((await azure.call("POST", `${one}/long/cancel`)).status, 204);
  gate.resolve();
  assert.equal((await ended("long"))["properties"].provisioningState, "Canceled");
  assert.ok(!azure.puts.includes("never"));
  assert.equal((await azure.call("POST", `${one}/long/cancel`)).json["error"].code, "DeploymentCannotBeCancelled");
});

test("a group is exported as a template that changes nothing when it is deployed again", async () => {
  const { status, json } = await azure.call(
    "POST",
    `${group}/exportTemplate`,
    '{"resources": ["*"], "options": "IncludeParameterDefaultValue"}',
  );
  assert.equal(status, 200, JSON.stringify(json));
  assert.equal(json["error"], undefined);
  assert.ok(json["template"].resources.length >= 2);
  const again = await azure.call(
    "POST",
    `${one}/again/whatIf`,
    JSON.stringify({ properties: { mode: "Complete", template: json["template"] } }),
  );
  assert.deepEqual(
    [...new Set(again.json["properties"].changes.map((change: Answer) => change.changeType))],
    ["NoChange"],
  );
});

test("nested deployments have records of their own", async () => {
  const inner = `{ "$schema": "https://x/deploymentTemplate.json#", contentVersion: "1.0.0.0", resources: [${thing("inside")}], outputs: { o: { type: "string", value: "in" } } }`;
  await azure.call(
    "PUT",
    `${one}/parent`,
    body(
      `{ type: "Microsoft.Resources/deployments", apiVersion: "2021-04-01", name: "child", properties: { mode: "Incremental", expressionEvaluationOptions: { scope: "inner" }, template: ${inner} } }`,
      '"outputs": { "o": { "type": "string", "value": "[reference(\'child\').outputs.o.value]" } },',
    ),
  );
  assert.deepEqual((await ended("parent"))["properties"].outputs, { o: { type: "String", value: "in" } });
  assert.deepEqual((await ended("child"))["properties"].outputs, { o: { type: "String", value: "in" } });
});

test("a deployment that the service left behind goes on at the next start, secrets included", async () => {
  const gate = Promise.withResolvers<void>();
  azure.gates.set("second", gate.promise);
  const text = body(
    `${thing("one")}, ${thing("second", ', dependsOn: ["one"], properties: { pw: "[parameters(\'pw\')]" }')}`,
    '"parameters": { "pw": { "type": "securestring" } },',
    '{"pw": {"value": "kept"}}',
  );
  await azure.call("PUT", `${one}/resumed`, text);
  await waitFor("the put", () => (azure.puts.includes("second") ? true : undefined), 120_000, 10);
  const stopping = azure[Symbol.asyncDispose]();
  gate.resolve();
  await stopping;
  await database.kysely.deleteFrom("leases").execute();
  const again = await openDatabase({ file: database.file, clock: systemClock });
  await using _closing = again;
  const before = azure;
  azure = await world(again);
  assert.equal((await ended("resumed"))["properties"].provisioningState, "Succeeded");
  assert.ok(!azure.puts.includes("one"), "what had ended well is not done again");
  assert.ok(before.puts.includes("one"));
  assert.equal(
    (await azure.call("GET", `${group}/providers/Microsoft.Test/things/second`)).json["properties"].pw,
    "kept",
  );
  await azure[Symbol.asyncDispose]();
  azure = await world(database);
});

test("linked templates from this machine or the local link are refused", async () => {
  const load = templateLoader(false);
  const { signal } = new AbortController();
  for (const uri of [
    "http://127.0.0.1:9/x.json",
    "https://[::1]/x",
    "http://localhost:9/x.json",
    "file:///etc/passwd",
  ]) {
    await assert.rejects(async () => load(uri, signal), { code: "InvalidContentLink" }, uri);
  }
});
