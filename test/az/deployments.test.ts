// Templates through the real az, which splices the file's text, comments and all, into its request.

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
  folder = await mkdtemp(join(tmpdir(), "holdfast-templates-"));
  await az("group", "create", "--name", "deploy", "--location", "local");
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
  await service[Symbol.asyncDispose]();
});

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

const team = `{
  // a template with comments, as people write them
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {
    "prefix": { "type": "string", "minLength": 2 },
    "count": { "type": "int", "defaultValue": 3 },
    "password": { "type": "securestring", "defaultValue": "" }
  },
  "variables": { "location": "[resourceGroup().location]", /* block */ "unique": "[uniqueString(resourceGroup().id)]" },
  "resources": [
    {
      "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
      "apiVersion": "2023-01-31",
      "name": "[concat(parameters('prefix'), '-', copyIndex())]",
      "location": "[variables('location')]",
      "copy": { "name": "identities", "count": "[parameters('count')]" }
    },
    {
      "type": "Microsoft.Authorization/roleAssignments",
      "apiVersion": "2022-04-01",
      "name": "[guid(resourceGroup().id, parameters('prefix'))]",
      "dependsOn": [ "identities" ],
      "properties": {
        "roleDefinitionId": "[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'acdd72a7-3385-48ef-bd42-f606fba81ae7')]",
        "principalId": "[reference(resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', format('{0}-0', parameters('prefix')))).principalId]",
        "principalType": "ServicePrincipal"
      }
    },
    {
      "condition": "[greater(parameters('count'), 100)]",
      "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
      "apiVersion": "2023-01-31",
      "name": "never",
      "location": "[variables('location')]"
    }
  ],
  "outputs": {
    "first": { "type": "string", "value": "[reference(concat(parameters('prefix'), '-0')).clientId]" },
    "names": { "type": "array", "copy": { "count": "[parameters('count')]", "input": "[concat(parameters('prefix'), '-', copyIndex())]" } },
    "secret": { "type": "securestring", "value": "[parameters('password')]" }
  }
}
`;

test("a template is validated, deployed, shown, listed, exported, and its operations are told", async () => {
  const template = await file("team.json", team);
  const group = ["--resource-group", "deploy"];
  const deployment = [...group, "--name", "team"];
  const source = ["--template-file", template, "--parameters", "prefix=team", "count=2", "password=geheim"];
  const create = ["deployment", "group", "create", ...deployment, ...source];
  const validated = await az("deployment", "group", "validate", ...group, ...source);
  assert.equal(validated.properties.provisioningState, "Succeeded");
  const made = await az(...create);
  assert.equal(made.properties.provisioningState, "Succeeded");
  assert.deepEqual(made.properties.outputs.names.value, ["team-0", "team-1"]);
  assert.equal(
    made.properties.outputs.first.value,
    (await az("identity", "show", "--resource-group", "deploy", "--name", "team-0")).clientId,
  );
  assert.doesNotMatch(JSON.stringify(made), /geheim/);
  const listed = await az("deployment", "group", "list", "--resource-group", "deploy");
  assert.deepEqual(
    listed.map((one: { name: string }) => one.name),
    ["team"],
  );
  const operations = await az("deployment", "operation", "group", "list", ...deployment);
  const targets = operations.map(
    (operation: { properties: { targetResource?: { resourceName: string } } }) =>
      operation.properties.targetResource?.resourceName,
  );
  assert.ok(targets.includes("team-0") && targets.includes("team-1"), JSON.stringify(targets));
  const exported = await az("deployment", "group", "export", "--resource-group", "deploy", "--name", "team");
  assert.equal(exported.resources.length, 3);
  const again = await az(...create);
  assert.equal(again.properties.outputs.first.value, made.properties.outputs.first.value);
  const shown = await az("deployment", "group", "show", "--resource-group", "deploy", "--name", "team");
  assert.equal(shown.properties.parameters.prefix.value, "team");
  assert.equal(shown.properties.parameters.password.value ?? null, null);
});

test("what-if tells what would change and changes nothing", async () => {
  const template = await file("more.json", team);
  const result = await az(
    "deployment",
    "group",
    "what-if",
    "--resource-group",
    "deploy",
    "--template-file",
    template,
    "--parameters",
    "prefix=extra",
    "count=1",
    "--no-pretty-print",
  );
  assert.ok(
    result.changes.some(
      (change: { changeType: string; resourceId: string }) =>
        change.changeType === "Create" && change.resourceId.endsWith("/extra-0"),
    ),
  );
  assert.equal((await azFails(az, "identity", "show", "--resource-group", "deploy", "--name", "extra-0")).exitCode, 3);
});

test("a template at subscription scope makes a group and deploys into it", async () => {
  const template = await file(
    "subscription.json",
    `{
      "$schema": "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#",
      "contentVersion": "1.0.0.0",
      "resources": [
        { "type": "Microsoft.Resources/resourceGroups", "apiVersion": "2021-04-01", "name": "from-template", "location": "local", "properties": {} },
        {
          "type": "Microsoft.Resources/deployments", "apiVersion": "2021-04-01", "name": "inside", "resourceGroup": "from-template",
          "dependsOn": [ "[subscriptionResourceId('Microsoft.Resources/resourceGroups', 'from-template')]" ],
          "properties": { "mode": "Incremental", "template": {
            "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0",
            "resources": [ { "type": "Microsoft.ManagedIdentity/userAssignedIdentities", "apiVersion": "2023-01-31", "name": "inner", "location": "local" } ]
          } }
        }
      ]
    }`,
  );
  const made = await az(
    "deployment",
    "sub",
    "create",
    "--location",
    "local",
    "--name",
    "whole",
    "--template-file",
    template,
  );
  assert.equal(made.properties.provisioningState, "Succeeded");
  assert.equal((await az("identity", "show", "--resource-group", "from-template", "--name", "inner")).name, "inner");
});

test("mistakes in a template are told with line, expression and name", async () => {
  const unknown = await file("unknown.json", team.replace("uniqueString", "uniqueStrnig"));
  const failure = await azFails(
    az,
    "deployment",
    "group",
    "create",
    "--resource-group",
    "deploy",
    "--template-file",
    unknown,
    "--parameters",
    "prefix=team",
  );
  assert.match(failure.text, /InvalidTemplate/);
  assert.match(failure.text, /uniqueStrnig/);
  const cycle = await file(
    "cycle.json",
    `{ "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0", "resources": [
      { "type": "Microsoft.ManagedIdentity/userAssignedIdentities", "apiVersion": "2023-01-31", "name": "aaa", "location": "local", "dependsOn": ["bbb"] },
      { "type": "Microsoft.ManagedIdentity/userAssignedIdentities", "apiVersion": "2023-01-31", "name": "bbb", "location": "local", "dependsOn": ["aaa"] } ] }`,
  );
  assert.match(
    (await azFails(az, "deployment", "group", "create", "--resource-group", "deploy", "--template-file", cycle)).text,
    /[Cc]ircular dependency/,
  );
  const failing = await file(
    "failing.json",
    `{ "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0", "resources": [
      { "type": "Microsoft.Authorization/roleAssignments", "apiVersion": "2022-04-01", "name": "[guid('x')]", "properties": { "principalId": "[guid('nobody')]", "roleDefinitionId": "[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'acdd72a7-3385-48ef-bd42-f606fba81ae7')]" } } ] }`,
  );
  const refused = await azFails(
    az,
    "deployment",
    "group",
    "create",
    "--resource-group",
    "deploy",
    "--name",
    "failing",
    "--template-file",
    failing,
  );
  assert.match(refused.text, /PrincipalNotFound/);
  assert.equal(
    (await az("deployment", "group", "show", "--resource-group", "deploy", "--name", "failing")).properties
      .provisioningState,
    "Failed",
  );
});
