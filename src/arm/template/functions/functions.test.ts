import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate } from "../testing/expression-scope.ts";
import { subscriptionId } from "../testing/memory-azure.ts";
import { functionNames } from "./table.ts";

const group = `/subscriptions/${subscriptionId}/resourceGroups/rg1`;

const cases: Record<string, readonly (readonly [expression: string, result: unknown])[]> = {
  base64: [["base64('one, two, three')", "b25lLCB0d28sIHRocmVl"]],
  base64ToJson: [["base64ToJson(base64('{''one'': ''a'', ''two'': ''b''}')).two", "b"]],
  base64ToString: [["base64ToString('b25lLCB0d28sIHRocmVl')", "one, two, three"]],
  concat: [
    ["concat('a', 1, true())", "a1True"],
    ["concat(createArray(1), createArray(2, 3))", [1, 2, 3]],
    ["concat('it''s')", "it's"],
  ],
  contains: [
    ["contains('OneTwo', 'e')", true],
    ["contains('OneTwo', 'z')", false],
    ["contains(createObject('One', 1), 'one')", true],
    ["contains(createArray('a', 'b'), 'B')", false],
  ],
  dataUri: [["dataUri('Hello')", "data:text/plain;charset=utf8;base64,SGVsbG8="]],
  dataUriToString: [
    ["dataUriToString('data:;base64,SGVsbG8sIFdvcmxkIQ==')", "Hello, World!"],
    ["dataUriToString('data:,a%20b')", "a b"],
  ],
  empty: [
    ["empty('')", true],
    ["empty(createArray())", true],
    ["empty(createObject())", true],
    ["empty(null())", true],
    ["empty('a')", false],
  ],
  endsWith: [
    ["endsWith('abcdef', 'EF')", true],
    ["endsWith('abcdef', 'e')", false],
  ],
  startsWith: [["startsWith('abcdef', 'AB')", true]],
  first: [
    ["first('One Two')", "O"],
    ["first(createArray(7, 8))", 7],
    ["first('')", ""],
    ["first(createArray())", null],
  ],
  last: [
    ["last('One Two')", "o"],
    ["last(createArray(7, 8))", 8],
  ],
  format: [
    [
      "format('{0}, {1}. Formatted number: {2:N0}', 'Hello', 'User', 8175133)",
      "Hello, User. Formatted number: 8,175,133",
    ],
    ["format('{0:D4}|{0,6}|{0,-6}|{0:X}|{{}}', 42)", "0042|    42|42    |2A|{}"],
    ["format('{0:F2} {0:P0} {0:000000} {0:#,##0.00}', 1234)", "1234.00 123,400 % 001234 1,234.00"],
    ["format('{0}', true())", "True"],
  ],
  guid: [
    ["guid('a')", "3703365d-5a9f-59b4-bca7-b9681389e4c1"],
    ["equals(guid('a', 'b'), guid('a-b'))", true],
  ],
  indexOf: [
    ["indexOf('test', 'T')", 0],
    ["indexOf('abcdef', 'z')", -1],
    ["indexOf(createArray('a', 'b'), 'b')", 1],
  ],
  lastIndexOf: [
    ["lastIndexOf('test', 't')", 3],
    ["lastIndexOf(createArray(1, 2, 1), 1)", 2],
  ],
  join: [
    ["join(createArray('one', 'two', 'three'), ',')", "one,two,three"],
    ["join(createArray(1, 2), ';')", "1;2"],
  ],
  json: [
    ["json('null')", null],
    ["json('{\"a\": [1, true]}').a[1]", true],
    ["json('1')", 1],
  ],
  length: [
    ["length('One Two')", 7],
    ["length(createArray(1, 2))", 2],
    ["length(createObject('a', 1))", 1],
  ],
  padLeft: [
    ["padLeft('123', 10, '0')", "0000000123"],
    ["padLeft(7, 3)", "  7"],
  ],
  replace: [["replace('123-123-1234', '-', '')", "1231231234"]],
  skip: [
    ["skip('one two three', 4)", "two three"],
    ["skip(createArray(1, 2, 3), 2)", [3]],
    ["skip('a', -1)", "a"],
  ],
  take: [
    ["take('one two three', 2)", "on"],
    ["take(createArray(1, 2, 3), 9)", [1, 2, 3]],
  ],
  split: [
    ["split('one,two,three', ',')", ["one", "two", "three"]],
    ["split('one;two,three', createArray(',', ';'))", ["one", "two", "three"]],
  ],
  string: [
    ["string(createArray('a', 1))", '["a",1]'],
    ["string(5)", "5"],
    ["string(false())", "False"],
  ],
  substring: [
    ["substring('one two three', 4, 3)", "two"],
    ["substring('abc', 1)", "bc"],
  ],
  toLower: [["toLower('One')", "one"]],
  toUpper: [["toUpper('One')", "ONE"]],
  trim: [["trim('    one two   ')", "one two"]],
  uniqueString: [
    ["uniqueString('hello', 'world')", "a7wkljktk6wne"],
    [
      "uniqueString('/subscriptions/31e9f9a0-9fd2-4294-a0a3-0101246d9700/resourceGroups/rg-modm201-20230913120256/providers/Microsoft.Compute/virtualMachines/bobjacmodm201')",
      "yvjxno3je5on2",
    ],
  ],
  uri: [
    ["uri('http://contoso.org/firstpath', 'myscript.sh')", "http://contoso.org/myscript.sh"],
    [
      "uri('http://contoso.org/firstpath/azuredeploy.json/', 'myscript.sh')",
      "http://contoso.org/firstpath/azuredeploy.json/myscript.sh",
    ],
  ],
  uriComponent: [["uriComponent('http://contoso.com/a b')", "http%3A%2F%2Fcontoso.com%2Fa%20b"]],
  uriComponentToString: [["uriComponentToString('http%3A%2F%2Fcontoso.com')", "http://contoso.com"]],
  array: [
    ["array('a')", ["a"]],
    ["array(createArray(1))", [1]],
  ],
  createArray: [["createArray(1, 'a', createArray())", [1, "a", []]]],
  indexFromEnd: [["indexFromEnd(createArray('a', 'b', 'c'), 2)", "b"]],
  tryIndexFromEnd: [["tryIndexFromEnd(createArray('a'), 2)", null]],
  tryGet: [
    ["tryGet(createObject('a', createArray(5)), 'A', 0)", 5],
    ["tryGet(createObject(), 'x', 'y')", null],
  ],
  intersection: [
    ["intersection(createArray('one', 'two', 'three'), createArray('two', 'three'))", ["two", "three"]],
    ['intersection(json(\'{"one": "a", "two": "b"}\'), json(\'{"one": "a", "two": "z"}\'))', { one: "a" }],
  ],
  union: [
    ["union(createArray('a', 'b'), createArray('b', 'c'))", ["a", "b", "c"]],
    ['union(json(\'{"a": {"x": 1}}\'), json(\'{"a": {"y": 2}}\'))', { a: { x: 1, y: 2 } }],
  ],
  flatten: [["flatten(createArray(createArray(1), createArray(2, 3)))", [1, 2, 3]]],
  min: [
    ["min(0, 3, 2)", 0],
    ["min(createArray(5, 4))", 4],
  ],
  max: [["max(createArray(0, 3, 2, 5, 4))", 5]],
  range: [["range(5, 3)", [5, 6, 7]]],
  createObject: [["createObject('a', 1, 'b', createArray())", { a: 1, b: [] }]],
  items: [
    [
      'items(json(\'{"b": 2, "a": 1}\'))',
      [
        { key: "a", value: 1 },
        { key: "b", value: 2 },
      ],
    ],
  ],
  objectKeys: [['objectKeys(json(\'{"b": 2, "a": 1}\'))', ["a", "b"]]],
  shallowMerge: [['shallowMerge(createArray(json(\'{"a": {"x": 1}}\'), json(\'{"a": {"y": 2}}\')))', { a: { y: 2 } }]],
  filter: [["filter(range(0, 5), lambda('x', less(lambdaVariables('x'), 2)))", [0, 1]]],
  map: [
    ["map(createArray('a', 'b'), lambda('x', 'i', concat(lambdaVariables('x'), lambdaVariables('i'))))", ["a0", "b1"]],
  ],
  mapValues: [["mapValues(createObject('a', 1), lambda('v', add(lambdaVariables('v'), 1)))", { a: 2 }]],
  reduce: [["reduce(range(1, 4), 0, lambda('sum', 'x', add(lambdaVariables('sum'), lambdaVariables('x'))))", 10]],
  sort: [["sort(createArray(3, 1, 2), lambda('a', 'b', less(lambdaVariables('a'), lambdaVariables('b'))))", [1, 2, 3]]],
  toObject: [
    [
      "toObject(createArray('a', 'b'), lambda('x', lambdaVariables('x')), lambda('x', toUpper(lambdaVariables('x'))))",
      { a: "A", b: "B" },
    ],
  ],
  groupBy: [
    ["groupBy(createArray('aa', 'b', 'ac'), lambda('x', first(lambdaVariables('x'))))", { a: ["aa", "ac"], b: ["b"] }],
  ],
  lambda: [],
  lambdaVariables: [],
  add: [["add(5, 3)", 8]],
  sub: [["sub(7, 3)", 4]],
  mul: [["mul(5, 3)", 15]],
  div: [
    ["div(8, 3)", 2],
    ["div(-8, 3)", -2],
  ],
  mod: [
    ["mod(7, 3)", 1],
    ["mod(-7, 3)", -1],
  ],
  int: [["int('4')", 4]],
  float: [["float('1.5')", 1.5]],
  copyIndex: [],
  and: [
    ["and(bool('true'), bool('false'))", false],
    ["and(true(), true(), true())", true],
    ["and(false(), div(1, 0))", false],
  ],
  or: [["or(false(), true())", true]],
  not: [["not(bool('true'))", false]],
  true: [["true()", true]],
  false: [["false()", false]],
  null: [["null()", null]],
  bool: [
    ["bool(1)", true],
    ["bool('False')", false],
  ],
  if: [["if(equals('a', 'a'), 'yes', div(1, 0))", "yes"]],
  coalesce: [["coalesce(null(), null(), 'x', div(1, 0))", "x"]],
  fail: [["if(true(), 1, fail('no'))", 1]],
  equals: [
    ["equals('a', 'A')", false],
    ["equals(json('{\"A\": 1}'), json('{\"a\": 1}'))", true],
    ["equals(1, '1')", false],
  ],
  less: [
    ["less('A', 'a')", true],
    ["less(1, 2)", true],
  ],
  lessOrEquals: [["lessOrEquals(2, 2)", true]],
  greater: [["greater('b', 'a')", true]],
  greaterOrEquals: [["greaterOrEquals(1, 2)", false]],
  dateTimeAdd: [
    ["dateTimeAdd('2023-01-01 00:00:00Z', 'P1Y')", "2024-01-01T00:00:00Z"],
    ["dateTimeAdd('2024-02-01 00:00:00Z', 'P1M')", "2024-03-02T00:00:00Z"],
    ["dateTimeAdd('2020-04-07 14:53:14Z', '-P9D')", "2020-03-29T14:53:14Z"],
    ["dateTimeAdd('20200407T145314Z', 'PT1H')", "20200407T155314Z"],
    ["dateTimeAdd('2020-04-07 14:53:14Z', 'P3Y', 'M/d/yyyy h:mm:ss tt')", "4/7/2023 2:53:14 PM"],
  ],
  dateTimeFromEpoch: [["dateTimeFromEpoch(1683040573)", "2023-05-02T15:16:13Z"]],
  dateTimeToEpoch: [["dateTimeToEpoch('2023-05-02T15:16:13Z')", 1683040573]],
  utcNow: [],
  newGuid: [],
  parseCidr: [
    [
      "parseCidr('10.144.0.0/20')",
      {
        network: "10.144.0.0",
        netmask: "255.255.240.0",
        broadcast: "10.144.15.255",
        firstUsable: "10.144.0.1",
        lastUsable: "10.144.15.254",
        cidr: 20,
      },
    ],
    [
      "parseCidr('fdad:3236:5555::/48')",
      {
        network: "fdad:3236:5555::",
        netmask: "ffff:ffff:ffff::",
        firstUsable: "fdad:3236:5555::",
        lastUsable: "fdad:3236:5555:ffff:ffff:ffff:ffff:ffff",
        cidr: 48,
      },
    ],
  ],
  cidrSubnet: [
    [
      "map(range(0, 3), lambda('i', cidrSubnet('10.144.0.0/20', 24, lambdaVariables('i'))))",
      ["10.144.0.0/24", "10.144.1.0/24", "10.144.2.0/24"],
    ],
  ],
  cidrHost: [["cidrHost('10.144.3.0/24', 1)", "10.144.3.2"]],
  parameters: [
    ["parameters('NAME')", "vault"],
    ["contoso.tag('x')", "<x>"],
  ],
  variables: [["variables('text')", "vault1"]],
  deployment: [
    ["deployment().name", "test"],
    ["deployment().properties.mode", "Incremental"],
  ],
  environment: [["environment().suffixes.storage", ".local"]],
  subscription: [["subscription().subscriptionId", subscriptionId]],
  tenant: [["tenant().tenantId", "tenant"]],
  deployer: [["deployer().objectId", "someone"]],
  resourceGroup: [
    ["resourceGroup().tags['environment']", "test"],
    ["resourceGroup().location", "westeurope"],
  ],
  managementGroup: [],
  resourceId: [
    [
      "resourceId('Microsoft.RecoveryServices/vaults/backupPolicies', 'v', 'p')",
      `${group}/providers/Microsoft.RecoveryServices/vaults/v/backupPolicies/p`,
    ],
    [
      "resourceId('other', 'Microsoft.X/y', 'n')",
      `/subscriptions/${subscriptionId}/resourceGroups/other/providers/Microsoft.X/y/n`,
    ],
    [
      "resourceId('11111111-1111-1111-1111-111111111111', 'g', 'Microsoft.X/y', 'n')",
      "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/g/providers/Microsoft.X/y/n",
    ],
  ],
  subscriptionResourceId: [
    [
      "subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'r')",
      `/subscriptions/${subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/r`,
    ],
  ],
  tenantResourceId: [["tenantResourceId('Microsoft.X/y', 'n')", "/providers/Microsoft.X/y/n"]],
  managementGroupResourceId: [
    [
      "managementGroupResourceId('mg', 'Microsoft.X/y', 'n')",
      "/providers/Microsoft.Management/managementGroups/mg/providers/Microsoft.X/y/n",
    ],
  ],
  extensionResourceId: [
    ["extensionResourceId(resourceGroup().id, 'Microsoft.X/y', 'n')", `${group}/providers/Microsoft.X/y/n`],
  ],
  reference: [],
  references: [],
  resourceInfo: [],
  providers: [],
  pickZones: [],
};

test("every function has its cases here, or is tested where it may stand", () => {
  assert.deepEqual(
    functionNames.filter((name) => !Object.hasOwn(cases, name)),
    [],
  );
});

for (const [name, examples] of Object.entries(cases)) {
  if (examples.length === 0) continue;
  test(`${name}()`, () => {
    for (const [expression, expected] of examples) assert.deepEqual(evaluate(expression), expected, expression);
  });
}
