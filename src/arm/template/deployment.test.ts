import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../relaxed-json/json.ts";
import { deploy, memoryAzure, outputsOf, subscriptionId } from "./testing/memory-azure.ts";

const group = `/subscriptions/${subscriptionId}/resourceGroups/rg1`;
const thing = (name: string, more: object = {}): object => ({
  type: "Microsoft.Test/things",
  apiVersion: "2024-01-01",
  name,
  location: "westeurope",
  ...more,
});
const idOf = (name: string): string => `${group}/providers/Microsoft.Test/things/${name}`;

test("a vault with a policy, a protected item, a lock and diagnostics deploys in order with evaluated bodies", async () => {
  const azure = memoryAzure();
  const { outputs } = await deploy(azure, {
    template: {
      parameters: {
        vaultName: { type: "string", defaultValue: "[concat('vault-', uniqueString(resourceGroup().id))]" },
        retention: { type: "int", defaultValue: 30, minValue: 7, maxValue: 9999 },
        backup: { type: "bool", defaultValue: true },
        now: { type: "string", defaultValue: "[utcNow('u')]" },
      },
      variables: {
        fabric: "Azure",
        container: "[concat('iaasvmcontainer;iaasvmcontainerv2;', resourceGroup().name, ';vm1')]",
        item: "[concat('vm;iaasvmcontainerv2;', resourceGroup().name, ';vm1')]",
      },
      resources: [
        {
          type: "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems",
          apiVersion: "2022-10-01",
          name: "[concat(parameters('vaultName'), '/', variables('fabric'), '/', variables('container'), '/', variables('item'))]",
          condition: "[parameters('backup')]",
          dependsOn: [
            "[resourceId('Microsoft.RecoveryServices/vaults/backupPolicies', parameters('vaultName'), 'daily')]",
          ],
          properties: {
            protectedItemType: "Microsoft.Compute/virtualMachines",
            policyId:
              "[resourceId('Microsoft.RecoveryServices/vaults/backupPolicies', parameters('vaultName'), 'daily')]",
          },
        },
        {
          type: "Microsoft.RecoveryServices/vaults",
          apiVersion: "2022-10-01",
          name: "[parameters('vaultName')]",
          location: "[resourceGroup().location]",
          sku: { name: "RS0", tier: "Standard" },
          properties: {},
          resources: [
            {
              type: "backupPolicies",
              apiVersion: "2022-10-01",
              name: "daily",
              dependsOn: ["[parameters('vaultName')]"],
              properties: {
                retentionPolicy: {
                  dailySchedule: { retentionDuration: { count: "[parameters('retention')]", durationType: "Days" } },
                },
              },
            },
          ],
        },
        {
          type: "Microsoft.RecoveryServices/vaults/providers/diagnosticSettings",
          apiVersion: "2021-05-01-preview",
          name: "[concat(parameters('vaultName'), '/Microsoft.Insights/to-logs')]",
          dependsOn: ["[resourceId('Microsoft.RecoveryServices/vaults', parameters('vaultName'))]"],
          properties: { logs: [] },
        },
        {
          type: "Microsoft.Authorization/locks",
          apiVersion: "2016-09-01",
          name: "keep",
          scope: "[format('Microsoft.RecoveryServices/vaults/{0}', parameters('vaultName'))]",
          dependsOn: ["[parameters('vaultName')]"],
          properties: { level: "CanNotDelete" },
        },
      ],
      outputs: {
        vaultId: {
          type: "string",
          value: "[resourceId('Microsoft.RecoveryServices/vaults', parameters('vaultName'))]",
        },
        state: { type: "string", value: "[reference(parameters('vaultName')).provisioningState]" },
        when: { type: "string", value: "[parameters('now')]" },
      },
    },
  });
  const name = String((outputs as JsonObject)["vaultId"] && ((outputs as JsonObject)["vaultId"] as JsonObject)["value"])
    .split("/")
    .at(-1);
  const vault = `${group}/providers/Microsoft.RecoveryServices/vaults/${name}`;
  assert.match(name ?? "", /^vault-[a-z2-7]{13}$/);
  assert.equal(azure.puts[0], vault);
  assert.deepEqual([...azure.puts].sort(), [
    vault,
    `${vault}/backupFabrics/Azure/protectionContainers/iaasvmcontainer;iaasvmcontainerv2;rg1;vm1/protectedItems/vm;iaasvmcontainerv2;rg1;vm1`,
    `${vault}/backupPolicies/daily`,
    `${vault}/providers/Microsoft.Authorization/locks/keep`,
    `${vault}/providers/Microsoft.Insights/diagnosticSettings/to-logs`,
  ]);
  const policy = azure.resources.get(`${vault}/backupPolicies/daily`.toLowerCase()) as {
    properties: { retentionPolicy: { dailySchedule: { retentionDuration: unknown } } };
  };
  assert.deepEqual(
    { ...(policy.properties.retentionPolicy.dailySchedule.retentionDuration as object) },
    { count: 30, durationType: "Days" },
  );
  const body = azure.resources.get(vault.toLowerCase()) as JsonObject;
  assert.deepEqual(Object.keys(body).sort(), ["id", "location", "name", "properties", "sku"]);
  assert.equal(((outputs as JsonObject)["when"] as JsonObject)["value"], "2026-01-02 03:04:05Z");
  assert.ok(
    azure.operations.some(
      ({ provisioningOperation, provisioningState }) =>
        provisioningOperation === "EvaluateDeploymentOutput" && provisioningState === "Succeeded",
    ),
  );
});

test("loops: of resources, properties, variables and outputs; a serial loop goes in batches", async () => {
  const azure = memoryAzure();
  let running = 0;
  let most = 0;
  azure.onPut = async () => {
    running += 1;
    most = Math.max(most, running);
    await Promise.resolve();
    running -= 1;
  };
  const outputs = await outputsOf(
    {
      template: {
        variables: {
          copy: [{ name: "names", count: 2, input: "[concat('n', copyIndex('names', 1))]" }],
          nested: { copy: [{ name: "inner", count: 2, input: { i: "[copyIndex('inner')]" } }] },
        },
        resources: [
          thing("[concat('t', copyIndex())]", {
            copy: { name: "things", count: 4, mode: "Serial", batchSize: 2 },
            properties: {
              copy: [{ name: "disks", count: 2, input: { lun: "[copyIndex('disks')]", of: "[copyIndex()]" } }],
              plain: true,
            },
          }),
          thing("last", { dependsOn: ["things"] }),
          thing("none", { copy: { name: "empty", count: 0 } }),
          thing("after-none", { dependsOn: ["empty"] }),
        ],
        outputs: {
          names: { type: "array", value: "[variables('names')]" },
          nested: { type: "object", value: "[variables('nested')]" },
          states: { type: "array", copy: { count: 2, input: "[reference(concat('t', copyIndex())).plain]" } },
        },
      },
    },
    azure,
  );
  assert.deepEqual(JSON.parse(JSON.stringify(outputs)), {
    names: ["n1", "n2"],
    nested: { inner: [{ i: 0 }, { i: 1 }] },
    states: [true, true],
  });
  assert.ok(most <= 3, `${most} at once`);
  assert.ok(azure.puts.indexOf(idOf("t0")) < azure.puts.indexOf(idOf("t2")));
  assert.equal(azure.puts.indexOf(idOf("last")) > azure.puts.indexOf(idOf("t3")), true);
  const t3 = JSON.parse(JSON.stringify(azure.resources.get(idOf("t3").toLowerCase())?.["properties"]));
  assert.deepEqual(t3.disks, [
    { lun: 0, of: 3 },
    { lun: 1, of: 3 },
  ]);
});

test("symbolic names, existing resources, loops by symbol, references() and user functions", async () => {
  const azure = memoryAzure();
  azure.resources.set(idOf("old").toLowerCase(), { id: idOf("old"), properties: { color: "red" } });
  const outputs = await outputsOf(
    {
      template: {
        languageVersion: "2.0",
        definitions: { size: { type: "string", allowedValues: ["S", "M"] } },
        parameters: {
          size: { $ref: "#/definitions/size", defaultValue: "M" },
          maybe: { type: "string", nullable: true },
        },
        functions: [
          {
            namespace: "my",
            members: {
              name: {
                parameters: [{ name: "n", type: "int" }],
                output: { type: "string", value: "[format('loop{0}', parameters('n'))]" },
              },
            },
          },
        ],
        resources: {
          old: { existing: true, type: "Microsoft.Test/things", apiVersion: "2024-01-01", name: "old" },
          many: {
            ...thing("[my.name(copyIndex())]"),
            copy: { name: "many", count: 2 },
            properties: { index: "[copyIndex()]" },
          },
          user: {
            ...thing("user"),
            dependsOn: ["many"],
            properties: { color: "[reference('old').color]", second: "[reference('many[1]').index]" },
          },
        },
        outputs: {
          color: { type: "string", value: "[reference('user').color]" },
          all: { type: "array", value: "[map(references('many'), lambda('r', lambdaVariables('r').index))]" },
          full: { type: "string", value: "[reference('user', '2024-01-01', 'Full').apiVersion]" },
          maybe: { type: "string", nullable: true, value: "[parameters('maybe')]" },
        },
      },
    },
    azure,
  );
  assert.deepEqual(JSON.parse(JSON.stringify(outputs)), { color: "red", all: [0, 1], full: "2024-01-01", maybe: null });
  assert.equal(azure.puts.at(-1), idOf("user"));
  assert.ok(!azure.puts.includes(idOf("old")));
});

test("nested deployments: inner scope has its own parameters, outer scope sees the parent's; outputs come back", async () => {
  const inner = {
    $schema: "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    contentVersion: "1.0.0.0",
    parameters: { n: { type: "string" }, secret: { type: "securestring" } },
    resources: [thing("[parameters('n')]")],
    outputs: {
      id: { type: "string", value: "[resourceId('Microsoft.Test/things', parameters('n'))]" },
      hush: { type: "securestring", value: "[parameters('secret')]" },
    },
  };
  const azure = memoryAzure();
  const outputs = await outputsOf(
    {
      parameters: { n: "outer-name" },
      template: {
        parameters: { n: { type: "string" } },
        resources: [
          {
            type: "Microsoft.Resources/deployments",
            apiVersion: "2021-04-01",
            name: "inner",
            resourceGroup: "rg2",
            properties: {
              mode: "Incremental",
              expressionEvaluationOptions: { scope: "inner" },
              parameters: { n: { value: "[concat('in-', parameters('n'))]" }, secret: { value: "s3cret" } },
              template: inner,
            },
          },
          {
            type: "Microsoft.Resources/deployments",
            apiVersion: "2021-04-01",
            name: "outer",
            dependsOn: ["inner"],
            properties: {
              mode: "Incremental",
              template: {
                $schema: inner.$schema,
                contentVersion: "1.0.0.0",
                resources: [
                  thing("[concat(parameters('n'), copyIndex())]", {
                    copy: { name: "c", count: 2 },
                    properties: { from: "[reference('inner').outputs.id.value]" },
                  }),
                ],
              },
            },
          },
        ],
        outputs: {
          id: { type: "string", value: "[reference('inner').outputs.id.value]" },
          hush: { type: "string", value: "[reference('inner').outputs.hush.value]" },
        },
      },
    },
    azure,
  );
  assert.deepEqual(outputs, {
    id: `/subscriptions/${subscriptionId}/resourceGroups/rg2/providers/Microsoft.Test/things/in-outer-name`,
    hush: "s3cret",
  });
  assert.deepEqual(azure.puts, [String(outputs["id"]), idOf("outer-name0"), idOf("outer-name1")]);
  assert.equal(
    (azure.resources.get(idOf("outer-name0").toLowerCase())!["properties"] as JsonObject)["from"],
    outputs["id"],
  );
});

test("a subscription template makes a group and fills it through a nested deployment", async () => {
  const azure = memoryAzure();
  await deploy(azure, {
    scope: "subscription",
    template: {
      resources: [
        {
          type: "Microsoft.Resources/resourceGroups",
          apiVersion: "2021-04-01",
          name: "new-rg",
          location: "[deployment().location]",
        },
        {
          type: "Microsoft.Resources/deployments",
          apiVersion: "2021-04-01",
          name: "fill",
          resourceGroup: "new-rg",
          dependsOn: ["[subscriptionResourceId('Microsoft.Resources/resourceGroups', 'new-rg')]", "new-rg"].slice(1),
          properties: {
            mode: "Incremental",
            expressionEvaluationOptions: { scope: "inner" },
            template: {
              $schema: "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
              contentVersion: "1.0.0.0",
              resources: [thing("in-new")],
            },
          },
        },
      ],
    },
  });
  assert.deepEqual(azure.puts, [
    `/subscriptions/${subscriptionId}/resourceGroups/new-rg`,
    `/subscriptions/${subscriptionId}/resourceGroups/new-rg/providers/Microsoft.Test/things/in-new`,
  ]);
});

test("resources outside of the template are named by id or by type and name", async () => {
  const azure = memoryAzure();
  const keys = "listKeys(concat('Microsoft.Test/things/', 'stored'), '2024-01-01').keys[0].value";
  azure.resources.set(idOf("stored").toLowerCase(), { id: idOf("stored"), properties: { blob: "https://b/" } });
  const outputs = await outputsOf(
    {
      template: {
        resources: [
          thing("user", {
            dependsOn: ["[if(true(), json('null'), 'x')]"],
            properties: { blob: "[reference('Microsoft.Test/things/stored', '2024-01-01').blob]" },
          }),
        ],
        outputs: {
          blob: { type: "string", value: "[reference(resourceId('Microsoft.Test/things', 'user')).blob]" },
          key: { type: "string", value: `[${keys}]` },
        },
      },
    },
    azure,
  );
  assert.deepEqual(outputs, { blob: "https://b/", key: "listKeys of stored" });
});

test("secure outputs are never shown; key vault secrets and linked templates come through the host", async () => {
  const azure = memoryAzure();
  azure.secrets.set("pw", "from-vault");
  azure.linked.set(
    "https://templates.example/child.json",
    `{"$schema": "https://x/deploymentTemplate.json#", contentVersion: "1.0.0.0", "parameters": {"pw": {"type": "secureString"}}, "resources": [], "outputs": {"pw": {"type": "securestring", "value": "[parameters('pw')]"}}} // linked`,
  );
  const { outputs } = await deploy(azure, {
    template: {
      resources: [
        {
          type: "Microsoft.Resources/deployments",
          apiVersion: "2021-04-01",
          name: "linked",
          properties: {
            mode: "Incremental",
            templateLink: { uri: "https://templates.example/child.json" },
            parameters: {
              pw: {
                reference: { keyVault: { id: `${group}/providers/Microsoft.KeyVault/vaults/kv` }, secretName: "pw" },
              },
            },
          },
        },
      ],
      outputs: {
        hidden: { type: "secureString", value: "[reference('linked').outputs.pw.value]" },
        list: {
          type: "string",
          value: "[listKeys(resourceId('Microsoft.Test/things', 'x'), '2024-01-01').keys[0].value]",
        },
      },
    },
  });
  assert.deepEqual(outputs, { hidden: { type: "SecureString" }, list: { type: "String", value: "listKeys of x" } });
  assert.ok(!JSON.stringify(azure.operations).includes("from-vault"));
});

test("what shall be made only where it is not yet is left as it is, and is read all the same", async () => {
  const azure = memoryAzure();
  const template = (color: string): object => ({
    languageVersion: "2.0",
    resources: { once: thing("once", { "@options": { onlyIfNotExists: true }, properties: { color } }) },
    outputs: {
      color: { type: "string", value: "[reference('once').color]" },
      name: { type: "string", value: "[resourceInfo('once').name]" },
    },
  });
  for (const color of ["red", "blue"]) {
    assert.deepEqual(await outputsOf({ template: template(color) }, azure), { color: "red", name: "once" });
  }
  assert.deepEqual(azure.puts, [idOf("once")]);
});
