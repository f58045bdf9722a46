import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as fc from "fast-check";
import { openDatabase, type Database } from "../../db/database.ts";
import { describeEachDialect } from "../../db/testing/each-dialect.ts";
import { manualClock } from "../../lib/clock.ts";
import { isErrorCode } from "../../lib/errors.ts";
import { newGuid, seededRandom } from "../../lib/random.ts";
import { addMember, createGroup, deleteGroup, removeMember } from "../directory/groups.ts";
import { deleteUser, findUser, updateUser } from "../directory/users.ts";
import { testIdentity } from "../testing/identity-service.ts";
import {
  createServicePrincipal,
  deleteServicePrincipal,
  findServicePrincipal,
  updateServicePrincipal,
} from "../directory/service-principals.ts";
import { openAccess, type Access } from "./access.ts";
import { builtInRoles } from "./built-in-roles.ts";
import { compileGrants } from "./grants.ts";
import { deleteAssignment, deleteAssignmentsUnder, listAssignments, putAssignment } from "./role-assignments.ts";
import { deleteRole, putRole } from "./role-definitions.ts";
import { ownerRole } from "./roles/general.ts";
import type { Permission } from "./roles/definition.ts";

const tenantId = "7e7a0000-0000-4000-8000-000000000001";
const subscription = "/subscriptions/5ab00000-0000-4000-8000-000000000001";
const group = `${subscription}/resourceGroups/rg1`;
const vm = `${group}/providers/Microsoft.Compute/virtualMachines/vm1`;
const reader = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
const contributor = "b24988ac-6180-42a0-ab88-20f7382dd24c";
const secretsUser = "4633458b-17de-408a-b874-0445c86b69e6";

describeEachDialect("access", ({ newPlace }) => {
  let database: Database;
  let access: Access;
  /** A second process on the same database. */
  let elsewhere: Access;

  before(async () => {
    database = await openDatabase({ ...(await newPlace()), clock: manualClock(Date.parse("2026-11-21T00:00:00Z")) });
    access = openAccess(database);
    elsewhere = openAccess(database);
    const admin = await newPrincipal();
    await assign(admin, ownerRole, "");
  });
  after(() => database.close());

  const newPrincipal = async (): Promise<string> => {
    const wanted = { tenantId, appId: newGuid(), displayName: "robot" };
    return (await database.transaction((trx) => createServicePrincipal(trx, wanted))).id;
  };
  const assign = (principalId: string, role: string, scope: string, name = newGuid()) =>
    database.transaction((trx) => putAssignment(trx, { name, tenantId, scope, principalId, role, by: principalId }));
  const may = async (principalId: string, action: string, scope: string, dataAction = false): Promise<boolean> => {
    const question = { principal: { objectId: principalId, name: "robot" }, action, scope, dataAction };
    const answers = await Promise.all(
      [access, elsewhere].map((one) =>
        one.check(question).then(
          () => true,
          (error: unknown) => {
            assert.ok(isErrorCode(error, "AuthorizationFailed"), String(error));
            return false;
          },
        ),
      ),
    );
    assert.equal(answers[0], answers[1]);
    return answers[0] === true;
  };
  const read = "Microsoft.Compute/virtualMachines/read";
  const write = "Microsoft.Compute/virtualMachines/write";

  test("nobody may do anything until a role says so, and the refusal is Azure's sentence", async () => {
    const robot = await newPrincipal();
    assert.equal(await may(robot, read, vm), false);
    await assert.rejects(access.check({ principal: { objectId: robot, name: "app-1" }, action: write, scope: group }), {
      code: "AuthorizationFailed",
      status: 403,
      message: `The client 'app-1' with object id '${robot}' does not have authorization to perform action '${write}' over scope '${group}' or the scope is invalid. If access was recently granted, please refresh your credentials.`,
    });
    assert.equal(await may(newGuid(), read, vm), false);
  });

  test("a role reaches down from its scope, in any case of letters, and not to the side or up", async () => {
    const robot = await newPrincipal();
    await assign(robot, reader, group);
    assert.equal(await may(robot, read, vm), true);
    assert.equal(await may(robot, "microsoft.COMPUTE/virtualmachines/READ", vm.toUpperCase()), true);
    assert.equal(await may(robot, read, group), true);
    assert.equal(await may(robot, read, subscription), false);
    assert.equal(await may(robot, read, `${group}0/providers/Microsoft.Compute/virtualMachines/vm1`), false);
    assert.equal(await may(robot, write, vm), false);
  });

  test("a change counts from the next question on, in every process", async () => {
    const robot = await newPrincipal();
    assert.equal(await may(robot, write, vm), false);
    const { name } = await assign(robot, contributor, subscription);
    assert.equal(await may(robot, write, vm), true);
    assert.equal(await may(robot, "Microsoft.Authorization/roleAssignments/write", vm), false);
    await database.transaction((trx) => deleteAssignment(trx, subscription, name));
    assert.equal(await may(robot, write, vm), false);
  });

  test("a change that is rolled back changes nothing", async () => {
    const robot = await newPrincipal();
    await assert.rejects(
      database.transaction(async (trx) => {
        await putAssignment(trx, {
          name: newGuid(),
          tenantId,
          scope: "",
          principalId: robot,
          role: contributor,
          by: robot,
        });
        throw new Error("changed my mind");
      }),
    );
    assert.equal(await may(robot, write, vm), false);
  });

  test("groups pass on what they have, through other groups, even in a circle", async () => {
    const robot = await newPrincipal();
    const [inner, outer] = await database.transaction(async (trx) => {
      const wanted = { tenantId, mailNickname: "g", description: null };
      const made = [
        await createGroup(trx, { ...wanted, displayName: "inner" }),
        await createGroup(trx, { ...wanted, displayName: "outer" }),
      ] as const;
      await addMember(trx, made[1].id, made[0].id);
      await addMember(trx, made[0].id, made[1].id);
      return made;
    });
    await assign(outer.id, reader, subscription);
    assert.equal(await may(robot, read, vm), false);
    await database.transaction((trx) => addMember(trx, inner.id, robot));
    assert.equal(await may(robot, read, vm), true);
    await database.transaction((trx) => removeMember(trx, inner.id, robot));
    assert.equal(await may(robot, read, vm), false);
    await database.transaction((trx) => addMember(trx, inner.id, robot));
    await database.transaction((trx) => deleteGroup(trx, outer));
    assert.equal(await may(robot, read, vm), false);
  });

  test("who is disabled or gone may do nothing", async () => {
    const wanted = { tenantId, appId: newGuid(), displayName: "robot" };
    const robot = await database.transaction((trx) => createServicePrincipal(trx, wanted));
    await assign(robot.id, reader, subscription);
    await database.transaction((trx) => updateServicePrincipal(trx, { ...robot, enabled: false }));
    assert.equal(await may(robot.id, read, vm), false);
    await database.transaction((trx) => updateServicePrincipal(trx, robot));
    assert.equal(await may(robot.id, read, vm), true);
    await database.transaction((trx) => deleteServicePrincipal(trx, robot));
    assert.equal(await may(robot.id, read, vm), false);
    assert.deepEqual(
      await listAssignments(database.kysely, { tenantId, scope: "", below: true, principalIds: [robot.id] }),
      [],
    );
  });

  test("actions on data are another matter than actions", async () => {
    const robot = await newPrincipal();
    const vault = `${group}/providers/Microsoft.KeyVault/vaults/kv`;
    await assign(robot, secretsUser, vault);
    const get = "Microsoft.KeyVault/vaults/secrets/getSecret/action";
    assert.equal(await may(robot, get, vault, true), true);
    assert.equal(await may(robot, get, vault), false);
    assert.equal(await may(robot, "Microsoft.KeyVault/vaults/secrets/setSecret/action", vault, true), false);
    const owner = await newPrincipal();
    await assign(owner, ownerRole, subscription);
    assert.equal(await may(owner, get, vault, true), false);
  });

  test("a custom role works, changes and ends; one that is assigned cannot be deleted", async () => {
    const robot = await newPrincipal();
    const name = newGuid();
    const permission: Permission = {
      actions: ["Microsoft.Compute/*/read"],
      notActions: [],
      dataActions: [],
      notDataActions: [],
    };
    const everywhere = (): boolean => true;
    const put = (permissions: Permission[], assignableScopes = [subscription]) => {
      const role = { name, tenantId, roleName: "Looker", description: "", permissions, assignableScopes, by: robot };
      return database.transaction((trx) => putRole(trx, role, everywhere));
    };
    assert.equal(await put([permission]), true);
    const assignment = await assign(robot, name, group);
    assert.equal(await may(robot, read, vm), true);
    assert.equal(await put([{ ...permission, notActions: ["*/virtualMachines/*"] }]), false);
    assert.equal(await may(robot, read, vm), false);
    await assert.rejects(
      database.transaction((trx) => deleteRole(trx, tenantId, name, everywhere)),
      {
        code: "RoleDefinitionHasAssignments",
      },
    );
    await assert.rejects(assign(robot, name, "/subscriptions/another"), { code: "ScopeNotAssignable" });
    await database.transaction((trx) => deleteAssignment(trx, group, assignment.name));
    assert.notEqual(await database.transaction((trx) => deleteRole(trx, tenantId, name, everywhere)), undefined);
    await assert.rejects(assign(robot, name, group), { code: "RoleDefinitionDoesNotExist" });
  });

  test("a role cannot be widened, or changed where it counts, by who lacks the right there", async () => {
    const role = {
      name: newGuid(),
      tenantId,
      roleName: "Shared",
      description: "",
      permissions: [{ actions: ["*"], notActions: [], dataActions: [], notDataActions: [] }],
      assignableScopes: [subscription],
      by: "somebody",
    };
    const onlyInGroup = (scope: string): boolean => scope.startsWith(group);
    const put = (changed: typeof role) => database.transaction((trx) => putRole(trx, changed, onlyInGroup));
    await assert.rejects(put(role), { code: "LinkedAuthorizationFailed" });
    await database.transaction((trx) => putRole(trx, role, () => true));
    await assert.rejects(put({ ...role, assignableScopes: [group] }), { code: "LinkedAuthorizationFailed" });
  });

  test("the same grant twice, an unknown principal, an unknown role and a wrong type are refused by name", async () => {
    const robot = await newPrincipal();
    await assign(robot, reader, group);
    await assert.rejects(assign(robot, reader, group.toUpperCase()), {
      code: "RoleAssignmentExists",
      message: "The role assignment already exists.",
      status: 409,
    });
    await assert.rejects(assign(newGuid(), reader, group), (error) => {
      assert.ok(isErrorCode(error, "PrincipalNotFound"));
      assert.match(String(error), / does not exist in the directory /);
      return true;
    });
    await assert.rejects(assign(robot, newGuid(), group), { code: "RoleDefinitionDoesNotExist" });
    const typed = {
      name: newGuid(),
      tenantId,
      scope: group,
      principalId: robot,
      principalType: "User",
      role: contributor,
      by: robot,
    };
    await assert.rejects(
      database.transaction((trx) => putAssignment(trx, typed)),
      { code: "UnmatchedPrincipalType" },
    );
  });

  test("what is deleted takes the assignments at and under it along, and no neighbour's", async () => {
    const robot = await newPrincipal();
    const gone = `${subscription}/resourceGroups/gone`;
    for (const scope of [gone, `${gone}/providers/A/b/c`, `${gone}2`, subscription]) await assign(robot, reader, scope);
    await database.transaction((trx) => deleteAssignmentsUnder(trx, gone.toUpperCase()));
    const left = await listAssignments(database.kysely, { tenantId, scope: "", below: true, principalIds: [robot] });
    assert.deepEqual(left.map(({ scope }) => scope).sort(), [subscription, `${gone}2`].sort());
  });

  test("lists show what counts at a scope, and what is under it when asked", async () => {
    const robot = await newPrincipal();
    for (const scope of ["", subscription, group, vm]) await assign(robot, reader, scope);
    const list = async (scope: string, below: boolean): Promise<string[]> => {
      const found = await listAssignments(database.kysely, { tenantId, scope, below, principalIds: [robot] });
      return found.map((assignment) => assignment.scope).sort((a, b) => a.length - b.length);
    };
    assert.deepEqual(await list(group, false), ["", subscription, group]);
    assert.deepEqual(await list(group, true), ["", subscription, group, vm]);
    assert.deepEqual(await list(`${subscription}/resourceGroups/rg`, true), ["", subscription]);
  });
});

describe("the last owner", () => {
  test("cannot be unassigned, disabled or deleted; a second one can", async () => {
    await using service = await testIdentity();
    const { database, admin } = service;
    const owners = await listAssignments(database.kysely, { tenantId: admin.tenantId, scope: "", below: false });
    assert.equal(owners.length, 2);
    const [first, second] = owners;
    await database.transaction((trx) => deleteAssignment(trx, "", first!.name));
    const refusal = { code: "CannotDeleteLastRbacAdminAssignment", status: 412 };
    await assert.rejects(
      database.transaction((trx) => deleteAssignment(trx, "", second!.name)),
      refusal,
    );
    const user = await findUser(database.kysely, admin.tenantId, second!.principalId);
    const robot = await findServicePrincipal(database.kysely, admin.tenantId, second!.principalId);
    await assert.rejects(
      database.transaction(async (trx) => {
        if (user !== undefined) await updateUser(trx, user, { enabled: false });
        if (robot !== undefined) await updateServicePrincipal(trx, { ...robot, enabled: false });
      }),
      refusal,
    );
    await assert.rejects(
      database.transaction(async (trx) => {
        if (user !== undefined) await deleteUser(trx, user);
        if (robot !== undefined) await deleteServicePrincipal(trx, robot);
      }),
      refusal,
    );
  });
});

describe("compiled grants", () => {
  const words = ["a", "b", "read", "write"];
  const action = fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
  const pattern = fc
    .array(fc.constantFrom(...words, "*"), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join("/"));
  const patterns = fc.array(pattern, { maxLength: 3 });
  const scope = fc
    .array(fc.constantFrom("x", "y", "xx"), { maxLength: 4 })
    .map((parts) => parts.map((part) => `/${part}`).join(""));
  const permission = fc.record({
    actions: patterns,
    notActions: patterns,
    dataActions: patterns,
    notDataActions: patterns,
  });
  const assigned = fc.array(fc.record({ scopeKey: scope, permissions: fc.array(permission, { maxLength: 2 }) }), {
    maxLength: 4,
  });

  const matches = (list: readonly string[], asked: string): boolean =>
    list.some((one) => new RegExp(`^${one.split("*").join(".*")}$`).test(asked));
  const isIn = (outer: string, inner: string): boolean => `${inner}/`.startsWith(`${outer}/`);

  test("say exactly what the rules say, read naively", () => {
    fc.assert(
      fc.property(assigned, action, scope, fc.boolean(), (assignments, asked, at, data) => {
        const expected = assignments.some(
          ({ scopeKey, permissions }) =>
            isIn(scopeKey, at) &&
            permissions.some((one) =>
              data
                ? matches(one.dataActions, asked) && !matches(one.notDataActions, asked)
                : matches(one.actions, asked) && !matches(one.notActions, asked),
            ),
        );
        const grants = compileGrants(assignments);
        const kind = data ? "dataAction" : "action";
        assert.equal(grants.allows(asked, at, kind), expected);
        assert.equal(grants.allows(asked.toUpperCase(), `${at}/`, kind), expected);
      }),
      { numRuns: process.env["HOLDFAST_TEST_LONG"] === "1" ? 500_000 : 5000 },
    );
  });

  test("answer fast, also when no question was asked before", () => {
    const random = seededRandom(7);
    const grants = compileGrants(
      builtInRoles.map(({ permissions }, index) => ({
        scopeKey: `/subscriptions/s/resourcegroups/rg${index}`,
        permissions,
      })),
    );
    const questions = Array.from(
      { length: 20_000 },
      () =>
        `/subscriptions/s/resourcegroups/rg${Math.floor(random() * 40)}/providers/microsoft.compute/virtualmachines/vm${Math.floor(random() * 1e6)}`,
    );
    const before = process.cpuUsage();
    for (const question of questions) grants.allows("Microsoft.Compute/virtualMachines/read", question);
    // Far more than the 50 microseconds each that would still be no burden: catches a wrong order of growth.
    assert.ok(process.cpuUsage(before).user / questions.length < 50);
  });
});

describe("built-in roles", () => {
  test("have GUIDs and names of their own and permissions that name real forms of actions", () => {
    assert.equal(new Set(builtInRoles.map(({ name }) => name)).size, builtInRoles.length);
    assert.equal(new Set(builtInRoles.map(({ roleName }) => roleName)).size, builtInRoles.length);
    for (const { name, permissions } of builtInRoles) {
      assert.match(name, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      for (const text of permissions.flatMap((one) => [...one.actions, ...one.notActions, ...one.dataActions])) {
        assert.match(text, /^(\*|\*\/read|Microsoft\.[A-Za-z]+\/.*(\*|read|write|delete|action))$/i);
      }
    }
  });
});
