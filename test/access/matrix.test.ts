// Every route x every built-in role. What each role may do is committed in matrix.txt, so a new
// route, or a role that may suddenly do more or less, shows in a diff and is looked at by a person.
// The test then sends the requests: what the table denies must really be answered 403.
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
  let asked = 0;
  for (const role of builtInRoles) {
    const client = await admin.createPrincipal(role.roleName);
    await admin.assign(client.principalId, role.name, `/subscriptions/${subscriptionId}`);
    const grants = compileGrants([{ scopeKey: `/subscriptions/${subscriptionId}`, permissions: role.permissions }]);
    for (const route of service.routes) {
      const path = pathOf(route.path, subscriptionId);
      if (!path.startsWith("/subscriptions/")) continue; // the root scope: the role is not assigned there
      const allowed = route.action === "" || grants.allows(route.action, path, "action");
      const answer = await client.call(route.method, `${path}?api-version=2021-04-01`);
      asked += 1;
      if ((answer.status === 403) === allowed)
        wrong.push(
          `${role.roleName}: ${route.method} ${path}: ${answer.status}, allowed=${allowed} ${answer.text.slice(0, 200)}`,
        );
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(asked > 500, `only ${asked} requests were made`);
});

/** Names that exist nowhere, so that an allowed request changes nothing; bodies are left out. */
function pathOf(pattern: string, subscriptionId: string): string {
  return pattern
    .replace("{scope}", `/subscriptions/${subscriptionId}`)
    .replace("{subscriptionId}", subscriptionId)
    .replace("{resourceGroup}/", "matrix/")
    .replaceAll(/\{[^}]+\}/g, () => `none-${newGuid()}`);
}
