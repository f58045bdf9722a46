// The way from a first start to a signed-in user with rights, on both databases.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase } from "../db/database.ts";
import { describeEachDialect } from "../db/testing/each-dialect.ts";
import { putAssignment } from "./access/role-assignments.ts";
import { openIdentity } from "./identity.ts";
import { testIdentity } from "./testing/identity-service.ts";

const azCli = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";

describeEachDialect("identity", ({ newPlace }) => {
  test("a user is made, joins a group that has a role, signs in, refreshes, and loses it all when disabled", async () => {
    await using service = await testIdentity({ place: await newPlace() });
    const { identity, admin } = service;
    const authorization = `Bearer ${await service.adminToken("https://graph.microsoft.com/.default")}`;
    const graph = async (method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
      const reply = await service.app.request(`/v1.0${path}`, {
        method,
        headers: { authorization },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      assert.ok(reply.ok, `${method} ${path}: ${reply.status}`);
      const text = await reply.text();
      return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
    };
    const ann = { userPrincipalName: "ann@holdfast.test", password: "correct horse" };
    const user = await graph("POST", "/users", {
      userPrincipalName: ann.userPrincipalName,
      displayName: "Ann",
      passwordProfile: { password: ann.password },
    });
    const group = await graph("POST", "/groups", { displayName: "ops", mailNickname: "ops" });
    await graph("POST", `/groups/${String(group["id"])}/members/$ref`, {
      "@odata.id": `https://x/v1.0/directoryObjects/${String(user["id"])}`,
    });

    const token = async (form: Record<string, string>): Promise<Record<string, string>> => {
      const reply = await service.post(`/${admin.tenantId}/oauth2/v2.0/token`, {
        client_id: azCli,
        scope: "https://localhost:8443/.default offline_access",
        ...form,
      });
      return (await reply.json()) as Record<string, string>;
    };
    const first = await token({ grant_type: "password", username: ann.userPrincipalName, password: ann.password });
    const verified = await identity.tokens.verify(first["access_token"] ?? "", { audiences: identity.audiences() });
    assert.equal(verified.objectId, user["id"]);
    const question = {
      principal: { objectId: verified.objectId, name: verified.name },
      action: "Microsoft.Resources/subscriptions/resourceGroups/read",
      scope: `/subscriptions/${admin.subscriptionId}`,
    };
    await assert.rejects(identity.access.check(question), { code: "AuthorizationFailed" });

    const assignment = {
      name: "5e467623-bb1f-42f4-a55d-000000000001",
      tenantId: admin.tenantId,
      scope: question.scope,
      principalId: String(group["id"]),
      role: "acdd72a7-3385-48ef-bd42-f606fba81ae7",
      by: "test",
    };
    await service.database.transaction((trx) => putAssignment(trx, assignment));
    await identity.access.check(question);

    // Whoever else holds the old token at this moment is forgiven; both chains live on.
    const refresh = { grant_type: "refresh_token", refresh_token: first["refresh_token"] ?? "" };
    const [second, third] = await Promise.all([token(refresh), token(refresh)]);
    assert.notEqual(second["refresh_token"], third["refresh_token"]);

    await graph("PATCH", `/users/${ann.userPrincipalName}`, { accountEnabled: false });
    await assert.rejects(identity.access.check(question), { code: "AuthorizationFailed" });
    const late = await token({ grant_type: "refresh_token", refresh_token: second["refresh_token"] ?? "" });
    assert.equal(late["error"], "invalid_grant");
    await identity.maintain();
    const events = await service.database.kysely.selectFrom("events").select("type").orderBy("position").execute();
    assert.equal(events.filter(({ type }) => type === "signIn.granted").length, 4);
    assert.equal(events.filter(({ type }) => type === "directory.changed").length, 4);
  });

  test("two processes share one signing key, and what one signs the other takes at once", async () => {
    const place = await newPlace();
    await using service = await testIdentity({ place });
    await using database = await openDatabase({ ...place, clock: service.clock });
    const other = openIdentity({
      database,
      secretBox: service.secretBox,
      origins: () => ["https://localhost:8443"],
      portalRedirectUris: () => [],
      addressOf: () => "",
    });
    const demands = { audiences: other.audiences() };
    await other.tokens.verify(await service.adminToken(), demands);
    service.clock.advance(40 * 86_400_000);
    const [mine, theirs] = await Promise.all(
      [service.identity, other].map(async (identity) => {
        const subject = {
          objectId: "o",
          tenantId: service.admin.tenantId,
          type: "ServicePrincipal",
          displayName: "x",
        } as const;
        return (await identity.tokens.accessToken({ subject, appId: "a", audience: "https://localhost:8443" })).token;
      }),
    );
    await other.tokens.verify(mine ?? "", demands);
    await service.identity.tokens.verify(theirs ?? "", demands);
    const reply = await service.app.request("/adfs/discovery/keys");
    assert.equal(((await reply.json()) as { keys: unknown[] }).keys.length, 1);
  });
});
