import assert from "node:assert/strict";
import { test } from "node:test";
import { deploy, failureOf, memoryAzure, type TestDeployment } from "./testing/memory-azure.ts";

const thing = (name: string, more: object = {}): object => ({
  type: "Microsoft.Test/things",
  apiVersion: "2024-01-01",
  name,
  ...more,
});
const nested = (name: string, template: object, more: object = {}): object => ({
  type: "Microsoft.Resources/deployments",
  apiVersion: "2021-04-01",
  name,
  properties: {
    mode: "Incremental",
    expressionEvaluationOptions: { scope: "inner" },
    template: { $schema: "https://x/deploymentTemplate.json#", contentVersion: "1.0.0.0", resources: [], ...template },
  },
  ...more,
});

function shaped(shape: object, pair: unknown[] = ["a", 1], counts: object = {}): TestDeployment {
  const variant = (kind: string, size: string): object => ({
    type: "object",
    properties: { kind: { type: "string", allowedValues: [kind] }, [size]: { type: "int" } },
  });
  const mapping = { circle: variant("circle", "r"), square: variant("square", "side") };
  return {
    parameters: { p: { shape, pair, counts } },
    template: {
      languageVersion: "2.0",
      definitions: { shape: { type: "object", discriminator: { propertyName: "kind", mapping } } },
      parameters: {
        p: {
          type: "object",
          properties: {
            shape: { $ref: "#/definitions/shape" },
            pair: { type: "array", prefixItems: [{ type: "string" }, { type: "int" }], items: false },
            counts: { type: "object", additionalProperties: { type: "int" } },
          },
        },
      },
    },
  };
}

const refusals: Record<string, readonly [TestDeployment, RegExp]> = {
  "an unknown function": [
    { template: { resources: [thing("[nosuch('a')]")] } },
    /^Deployment template validation failed: 'The template resource '\[nosuch\('a'\)\]' at line '\d+' and column '5' is not valid: The template function 'nosuch' is not valid/,
  ],
  "a mistake in the properties": [
    { template: { resources: [thing("a", { properties: { x: "[add('1', 2)]" } })] } },
    /The template resource 'a' at line '5' and column '5' is not valid: The template language function 'add' expects its parameter at position 1 to be an integer/,
  ],
  "a parameter without value": [
    { template: { parameters: { p: { type: "string" } } } },
    /The value for the template parameter 'p' at line '\d+' and column '\d+' is not provided/,
  ],
  "unknown parameters, all of them": [
    { parameters: { x: 1, y: 2 }, template: { parameters: { p: { type: "int", defaultValue: 1 } } } },
    /The template parameters 'x, y' in the parameters file are not valid; .* supported parameters for this template are 'p'/,
  ],
  "a parameter of the wrong type": [
    { parameters: { p: "1" }, template: { parameters: { p: { type: "int" } } } },
    /The provided value '1' for the template parameter 'p' .*Expected a value of type 'Integer', but received a value of type 'String'/,
  ],
  "a secure parameter of the wrong type without showing it": [
    { parameters: { p: 12345 }, template: { parameters: { p: { type: "securestring" } } } },
    /^(?!.*12345).*The provided value for the template parameter 'p'/,
  ],
  "a value that is not allowed": [
    { parameters: { p: "c" }, template: { parameters: { p: { type: "string", allowedValues: ["a", "b"] } } } },
    /not part of the allowed value\(s\): 'a,b'/,
  ],
  "a value that is too long": [
    { parameters: { p: "abc" }, template: { parameters: { p: { type: "string", maxLength: 2 } } } },
    /Length of the value should be less than or equal to '2'/,
  ],
  "a value that is too small": [
    { parameters: { p: 1 }, template: { parameters: { p: { type: "int", minValue: 2 } } } },
    /The value should be greater than or equal to '2'/,
  ],
  "variables in a circle": [
    { template: { variables: { a: "[variables('b')]", b: "[variables('a')]" } } },
    /The template variable 'b' .*'a' refers to itself/,
  ],
  "a default value in a circle": [
    { template: { parameters: { a: { type: "string", defaultValue: "[parameters('a')]" } } } },
    /'a' refers to itself/,
  ],
  "dependencies in a circle": [
    {
      template: {
        resources: [
          thing("a", { dependsOn: ["b"] }),
          thing("b", { dependsOn: ["c"] }),
          thing("c", { dependsOn: ["a"] }),
        ],
      },
    },
    /Circular dependency detected on resource: '\/subscriptions.*things\/a'. The circle is: '.*things\/a' -> '.*things\/b' -> '.*things\/c' -> '.*things\/a'/,
  ],
  "an unknown dependency": [
    { template: { resources: [thing("a", { dependsOn: ["Microsoft.Test/things/zz"] })] } },
    /The resource 'Microsoft.Test\/things\/zz' is not defined in the template/,
  ],
  "two of the same": [{ template: { resources: [thing("a"), thing("A")] } }, /is defined multiple times in a template/],
  "wrong segments": [{ template: { resources: [thing("a/b")] } }, /has incorrect segment lengths/],
  "a resource without apiVersion": [
    { template: { resources: [{ type: "Microsoft.Test/things", name: "a" }] } },
    /apiVersion property cannot be null or empty/,
  ],
  "an unknown section": [
    { template: { resource: [] } },
    /Could not find member 'resource' on object of type 'Template'/,
  ],
  "a template of more than 4 MB": [
    { template: { variables: { big: "x".repeat(4 * 1024 * 1024) } } },
    /template is too large. Limit: '4194304'/,
  ],
  "another schema": [
    { template: { $schema: "https://x/tenantDeploymentTemplate.json#" } },
    /is for deployments to a tenant/,
  ],
  "a schema that is none": [{ template: { $schema: "what" } }, /template schema 'what' is not supported/],
  "an output of unknown type": [
    { template: { outputs: { o: { type: "number", value: 1 } } } },
    /The template output 'o' is not valid: the type 'number' is unknown/,
  ],
  "a value of no variant": [
    shaped({ kind: "hexagon", r: 1 }),
    /Property 'shape': Property 'kind' must be one of 'circle, square'/,
  ],
  "a value that does not fit its variant": [
    shaped({ kind: "square", r: 1 }),
    /Property 'shape': Property 'side' is required and is not there/,
  ],
  "a tuple that is too long": [shaped({ kind: "circle", r: 1 }, ["a", 1, 2]), /The array has more than 2 element/],
  "a tuple of wrong types": [
    shaped({ kind: "circle", r: 1 }, ["a", "b"]),
    /'pair': Element 1: Expected a value of type/,
  ],
  "a further property of the wrong type": [
    shaped({ kind: "circle", r: 1 }, ["a", 1], { other: "x" }),
    /Property 'counts': Property 'other': Expected a value of type 'Integer'/,
  ],
  "an output with an unknown function": [
    { template: { outputs: { o: { type: "string", value: "[if(true(), 'x', nosuch('a'))]" } } } },
    /The template output 'o' .*is not valid: The template function 'nosuch' is not valid/,
  ],
  "an output that cannot be read": [
    { template: { outputs: { o: { type: "string", condition: "[equals(1,]", value: "x" } } } },
    /The template output 'o' .*Unable to parse language expression/,
  ],
  "too many in a loop": [
    { template: { resources: [thing("[string(copyIndex())]", { copy: { name: "c", count: 801 } })] } },
    /no more than '800'/,
  ],
  "too many resources": [
    {
      template: {
        resources: [thing("[concat('a', copyIndex())]", { copy: { name: "c", count: 800 } }), thing("one-more")],
      },
    },
    /resources limit exceeded. Limit: '800'/,
  ],
  "an expression that is too long": [
    { template: { resources: [thing(`[concat('${"a".repeat(24_600)}')]`)] } },
    /length limit exceeded. Limit: '24576'/,
  ],
  "deployments nested in each other without end": [
    {
      template: {
        resources: [1, 2, 3, 4, 5, 6].reduce<object>(
          (inner, level) => nested(`n${level}`, { resources: [inner] }),
          thing("deep"),
        )
          ? [
              [1, 2, 3, 4, 5, 6].reduce<object>(
                (inner, level) => nested(`n${level}`, { resources: [inner] }),
                thing("deep"),
              ),
            ]
          : [],
      },
    },
    /exceeds the nesting limit of '5' levels/,
  ],
  "800 times 800": [
    {
      template: {
        resources: [
          nested(
            "[concat('n', copyIndex())]",
            { resources: [thing("[concat('t', copyIndex())]", { copy: { name: "inner", count: 800 } })] },
            { copy: { name: "outer", count: 800 } },
          ),
        ],
      },
    },
    /more than '4000' resources together|took longer|more than \d+ steps/,
  ],
};

for (const [name, [deployment, message]] of Object.entries(refusals)) {
  test(`refused before anything is deployed: ${name}`, async () => {
    const azure = memoryAzure();
    const began = process.cpuUsage();
    const failure = await failureOf(deploy(azure, deployment));
    assert.equal(failure.code, "InvalidTemplate");
    assert.equal(failure.status, 400);
    assert.match(failure.message, message);
    assert.deepEqual(azure.puts, []);
    assert.ok(process.cpuUsage(began).user < 20_000_000);
  });
}
