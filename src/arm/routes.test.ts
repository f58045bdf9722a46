import assert from "node:assert/strict";
import { test } from "node:test";
import type { ArmRequest } from "./request.ts";
import { compileRoutes, type Route } from "./routes.ts";

const handle = async (): Promise<{ status: number }> => ({ status: 200 });
const vault =
  "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/Microsoft.RecoveryServices/vaults/{vault}";

const table = compileRoutes([
  { method: "GET", path: vault, handle },
  { method: "DELETE", path: vault, handle },
  { method: "GET", path: `${vault}/backupconfig/vaultconfig`, handle },
  { method: "GET", path: `${vault}/{kind}/{name}`, handle },
  { method: "POST", path: `${vault}/backupFabrics/Azure/refreshContainers`, handle },
  { method: "GET", path: "{scope}/providers/Microsoft.Authorization/roleAssignments/{name}", handle },
  { method: "GET", path: "{scope}/providers/Microsoft.Authorization/roleAssignments", handle },
]);

function find(method: string, path: string): ReturnType<typeof table.find> {
  return table.find(
    method,
    path.split("/").filter((part) => part !== ""),
  );
}

test("literals match in any case and come out in the route's case", () => {
  const match = find("GET", "/SUBSCRIPTIONS/s/resourcegroups/G/PROVIDERS/microsoft.recoveryservices/Vaults/V1");
  assert.deepEqual(match?.params, { subscriptionId: "s", resourceGroup: "G", vault: "V1" });
  assert.equal(
    match.segments.join("/"),
    "subscriptions/s/resourceGroups/G/providers/Microsoft.RecoveryServices/vaults/V1",
  );
});

test("a literal wins over a parameter", () => {
  const path = "/subscriptions/s/resourceGroups/g/providers/Microsoft.RecoveryServices/vaults/v";
  assert.equal(find("GET", `${path}/backupconfig/vaultconfig`)?.route.path, `${vault}/backupconfig/vaultconfig`);
  assert.equal(find("GET", `${path}/backupconfig/other`)?.params["name"], "other");
});

test("an extension route hangs on any scope, the root included", () => {
  assert.equal(find("GET", "/providers/Microsoft.Authorization/roleAssignments/x")?.params["scope"], "");
  assert.equal(
    find("GET", "/subscriptions/s/providers/microsoft.authorization/roleassignments")?.params["scope"],
    "/subscriptions/s",
  );
  const onVault = find(
    "GET",
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.RecoveryServices/vaults/v/providers/Microsoft.Authorization/roleAssignments/x",
  );
  assert.equal(
    onVault?.params["scope"],
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.RecoveryServices/vaults/v",
  );
});

test("the permission follows from the path", () => {
  const actions = table.routes.map(({ action }) => action);
  assert.deepEqual(actions, [
    "Microsoft.RecoveryServices/vaults/read",
    "Microsoft.RecoveryServices/vaults/delete",
    "Microsoft.RecoveryServices/vaults/backupconfig/read",
    "Microsoft.RecoveryServices/vaults/{kind}/read",
    "Microsoft.RecoveryServices/vaults/backupFabrics/refreshContainers/action",
    "Microsoft.Authorization/roleAssignments/read",
    "Microsoft.Authorization/roleAssignments/read",
  ]);
});

test("a path without such a method still tells which methods it has", () => {
  const path = ["subscriptions", "s", "resourceGroups", "g", "providers", "Microsoft.RecoveryServices", "vaults", "v"];
  assert.equal(table.find("PATCH", path), undefined);
  assert.deepEqual(table.methodsOf(path), ["GET", "DELETE"]);
});

test("two routes for the same place are refused", () => {
  const twice: Route[] = [
    { method: "GET", path: "/tenants/{a}", action: "x", handle },
    { method: "GET", path: "/TENANTS/{b}", action: "x", handle },
  ];
  assert.throws(() => compileRoutes(twice), /two routes/);
});

test("what can be read can be asked for", async () => {
  const path = "/subscriptions/s/resourceGroups/g/providers/Microsoft.RecoveryServices/vaults/v";
  const asked = find("HEAD", path);
  assert.equal(asked?.route.action, "Microsoft.RecoveryServices/vaults/read");
  assert.equal((await asked.route.handle({} as ArmRequest)).status, 204);
  assert.equal(find("HEAD", `${path}/backupFabrics/Azure/refreshContainers`), undefined);
});
