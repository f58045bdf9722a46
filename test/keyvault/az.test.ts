// Key vaults by the real az (its management half: the packaged az has no data plane), and a template
// that makes a vault with a secret and hands it to another deployment.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { azEnvironment, azFails, azWith, type Az } from "../support/az.ts";
import { startTestService, type TestService } from "../support/service.ts";

let service: TestService;
let az: Az;
let folder: string;

before(async () => {
  service = await startTestService();
  az = azWith(await azEnvironment(service));
  folder = await mkdtemp(join(tmpdir(), "holdfast-az-"));
  await az("group", "create", "--name", "keys", "--location", "local");
});

after(async () => {
  await service[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test("az creates, shows, lists, opens, deletes, recovers and purges a vault", async () => {
  const made = await az("keyvault", "create", "--name", "azvault", "--resource-group", "keys", "--location", "local");
  assert.equal(made.properties.provisioningState, "Succeeded");
  assert.match(made.properties.vaultUri, /azvault/);
  assert.equal(made.properties.accessPolicies.length, 1);
  const policies = await az(
    "keyvault",
    "set-policy",
    "--name",
    "azvault",
    "--object-id",
    "11111111-1111-4111-8111-111111111111",
    "--secret-permissions",
    "get",
    "list",
  );
  assert.equal(policies.properties.accessPolicies.length, 2);
  assert.deepEqual(
    (await az("keyvault", "list")).map(({ name }: { name: string }) => name),
    ["azvault"],
  );
  assert.equal((await az("keyvault", "show", "--name", "azvault")).name, "azvault");
  const uri = `${made.properties.vaultUri}secrets/greeting?api-version=7.4`;
  const written = await az(
    "rest",
    "--method",
    "put",
    "--url",
    uri,
    "--resource",
    "https://vault.azure.net",
    "--body",
    '{"value":"hello"}',
  );
  assert.equal(written.value, "hello");
  await az("keyvault", "delete", "--name", "azvault", "--resource-group", "keys");
  assert.deepEqual(
    (await az("keyvault", "list-deleted")).map(({ name }: { name: string }) => name),
    ["azvault"],
  );
  await az("keyvault", "recover", "--name", "azvault", "--location", "local");
  assert.equal(
    (await az("rest", "--method", "get", "--url", uri, "--resource", "https://vault.azure.net")).value,
    "hello",
  );
  await az("keyvault", "delete", "--name", "azvault", "--resource-group", "keys");
  await az("keyvault", "purge", "--name", "azvault", "--location", "local");
  assert.deepEqual(await az("keyvault", "list-deleted"), []);
});

test("a template makes a vault with a secret, and a parameter takes it from a vault that allows it", async () => {
  const vault = {
    type: "Microsoft.KeyVault/vaults",
    apiVersion: "2022-07-01",
    name: "templated",
    location: "local",
    properties: {
      tenantId: "[subscription().tenantId]",
      sku: { family: "A", name: "standard" },
      accessPolicies: [],
      enabledForTemplateDeployment: "[parameters('open')]",
    },
  };
  const secret = {
    type: "Microsoft.KeyVault/vaults/secrets",
    apiVersion: "2022-07-01",
    name: "templated/pw",
    dependsOn: ["[resourceId('Microsoft.KeyVault/vaults', 'templated')]"],
    properties: { value: "from the template" },
  };
  const schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#";
  const first = join(folder, "first.json");
  await writeFile(
    first,
    JSON.stringify({
      $schema: schema,
      contentVersion: "1.0.0.0",
      parameters: { open: { type: "bool" } },
      resources: [vault, secret],
    }),
  );
  const second = join(folder, "second.json");
  await writeFile(
    second,
    JSON.stringify({
      $schema: schema,
      contentVersion: "1.0.0.0",
      parameters: { pw: { type: "string" } },
      resources: [],
      outputs: { seen: { type: "string", value: "[parameters('pw')]" } },
    }),
  );
  const id = `/subscriptions/${service.admin.subscriptionId}/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/templated`;
  const parameters = join(folder, "parameters.json");
  await writeFile(
    parameters,
    JSON.stringify({
      contentVersion: "1.0.0.0",
      parameters: { pw: { reference: { keyVault: { id }, secretName: "pw" } } },
    }),
  );
  const deploy = (
    template: string,
    ...values: string[]
  ): Promise<{ properties: { outputs: { seen: { value: string } } } }> =>
    az(
      "deployment",
      "group",
      "create",
      "--resource-group",
      "keys",
      "--template-file",
      template,
      "--parameters",
      ...values,
    );

  await deploy(first, "open=false");
  const refused = await azFails(
    az,
    "deployment",
    "group",
    "create",
    "--resource-group",
    "keys",
    "--template-file",
    second,
    "--parameters",
    `@${parameters}`,
  );
  assert.match(refused.text, /not enabled for template deployment/);
  await deploy(first, "open=true");
  assert.equal((await deploy(second, `@${parameters}`)).properties.outputs.seen.value, "from the template");
});
