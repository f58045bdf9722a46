// Every route x every built-in role. What each role may do is committed in matrix.txt, so a new
// route, or a role that may suddenly do more or less, shows in a diff and is looked at by a person.
// The test then sends the requests: what the table denies must really be answered 403. Every route is asked
// by one role that may and one that may not, in turn, so that every role asks many; with --long by all roles.
//   HOLDFAST_UPDATE_MATRIX=1 node --test test/access/matrix.test.ts   rewrites the table

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { compileGrants } from "../../src/identity/access/grants.ts";
import { builtInRoles } from "../../src/identity/access/built-in-roles.ts";
import { newGuid } from "../../src/lib/random.ts";
import { startService, type Service } from "../../src/server/service.ts";
import { readSettings } from "../../src/server/settings.ts";
import { clientFor, type TestClient } from "../support/client.ts";

const isLong = process.env["HOLDFAST_TEST_LONG"] === "1";
const matrixFile = join(import.meta.dirname, "matrix.txt");
let data: string;
let service: Service;
let admin: TestClient;

before(async () => {
  data = await mkdtemp(join(tmpdir(), "holdfast-matrix-"));
  service = await startService(await readSettings({ data, listen: "127.0.0.1:0" }, { HOLDFAST_LOG_LEVEL: "silent" }));
  admin = await clientFor(service.running, data);
});

after(async () => {
  await service.stop();
  await rm(data, { recursive: true, force: true });
});

/** One line a route: method, path, action, and who may. */
function expectedTable(): string[] {
  const grants = builtInRoles.map((role) => ({
    name: role.roleName,
    grants: compileGrants([{ scopeKey: "", permissions: role.permissions }]),
  }));
  return service.routes
    .map((route) => {
      const allowed =
        route.action === ""
          ? ["everybody"]
          : grants
              .filter((entry) => entry.grants.allows(route.action, "/subscriptions/x", "action"))
              .map(({ name }) => name);
      return `${route.method} ${route.path} | ${route.action} | ${allowed.join(", ")}`;
    })
    .sort();
}

test("the table of routes and roles is the committed one", async () => {
  const table = `${expectedTable().join("\n")}\n`;
  if (process.env["HOLDFAST_UPDATE_MATRIX"] === "1") await writeFile(matrixFile, table);
  assert.equal(table, await readFile(matrixFile, "utf8"));
});

test("a role is refused exactly what the table denies it", async () => {
  const { subscriptionId } = service.running;
  await admin.call("PUT", `/subscriptions/${subscriptionId}/resourceGroups/matrix?api-version=2021-04-01`, {
    body: { location: "local" },
  });
  const wrong: string[] = [];
  const asked = new Map<string, number>();
  const turns = rolesInTurn();
  for (const [number, role] of builtInRoles.entries()) {
    const client = await admin.createPrincipal(role.roleName);
    await admin.assign(client.principalId, role.name, `/subscriptions/${subscriptionId}`);
    const grants = compileGrants([{ scopeKey: `/subscriptions/${subscriptionId}`, permissions: role.permissions }]);
    for (const [turn, route] of service.routes.entries()) {
      const path = pathOf(route.path, subscriptionId);
      if (!path.startsWith("/subscriptions/")) continue; // the root scope: the role is not assigned there
      if (!turns[turn]!.has(number)) continue;
      const allowed = route.action === "" || grants.allows(route.action, path, "action");
      const answer = await client.call(route.method, `${path}?api-version=2021-04-01`);
      asked.set(role.roleName, (asked.get(role.roleName) ?? 0) + 1);
      if ((answer.status === 403) === allowed)
        wrong.push(
          `${role.roleName}: ${route.method} ${path}: ${answer.status}, allowed=${allowed} ${answer.text.slice(0, 200)}`,
        );
    }
  }
  assert.deepEqual(wrong, []);
  const total = [...asked.values()].reduce((sum, count) => sum + count, 0);
  assert.ok(total > 500, `only ${total} requests were made`);
  assert.equal(asked.size, builtInRoles.length, "every role was tried");
});

/** Of each route the numbers of the roles that ask it. */
function rolesInTurn(): readonly ReadonlySet<number>[] {
  const everyRole = [...builtInRoles.keys()];
  const grants = builtInRoles.map(({ permissions }) => compileGrants([{ scopeKey: "", permissions }]));
  return service.routes.map(({ action }, turn) => {
    if (isLong) return new Set(everyRole);
    const may = everyRole.filter(
      (number) => action === "" || grants[number]!.allows(action, "/subscriptions/x", "action"),
    );
    const not = everyRole.filter((number) => !may.includes(number));
    return new Set([may, not].flatMap((side) => (side.length === 0 ? [] : [side[turn % side.length]!])));
  });
}

/** Names that exist nowhere, so that an allowed request changes nothing; bodies are left out. */
function pathOf(pattern: string, subscriptionId: string): string {
  return pattern
    .replace("{scope}", `/subscriptions/${subscriptionId}`)
    .replace("{subscriptionId}", subscriptionId)
    .replace("{resourceGroup}/", "matrix/")
    .replaceAll(/\{[^}]+\}/g, () => `none-${newGuid()}`);
}
