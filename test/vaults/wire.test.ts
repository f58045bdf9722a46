// Vaults, their settings, policies and guards over the wire: what is answered, what is refused and why.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { rootCertificates } from "node:tls";
import { dataFolder } from "../../src/server/data-folder.ts";
import type { Answer } from "../support/service.ts";
import { startRig, type Rig } from "./support.ts";

let rig: Rig;

before(async () => {
  rig = await startRig();
});

after(async () => {
  await rig[Symbol.asyncDispose]();
});

async function make(name: string, properties: object = {}): Promise<void> {
  const made = await rig.vault("PUT", name, { location: "eastus", sku: { name: "Standard" }, properties });
  assert.equal(made.status, 201, made.text);
}

function refused(answer: Answer, status: number, code: string): string {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.json.error.code, code);
  return answer.json.error.message as string;
}

test("a sku that no vault has is refused, and no vault is made", async () => {
  const answer = await rig.vault("PUT", "golden", { location: "eastus", sku: { name: "Gold" }, properties: {} });
  assert.match(refused(answer, 400, "InvalidParameter"), /'sku.name' is 'Gold'.*Standard, RS0/);
  assert.equal((await rig.vault("GET", "golden")).status, 404);
});

test("a vault is created, read, patched, listed and deleted", async () => {
  await make("life");
  const { json } = await rig.vault("GET", "LIFE");
  assert.equal(json.name, "life");
  assert.equal(json.location, "eastus");
  assert.equal(json.properties.provisioningState, "Succeeded");
  assert.equal(json.properties.publicNetworkAccess, "Enabled");
  const patched = await rig.vault("PATCH", "life", {
    tags: { a: "b" },
    properties: { monitoringSettings: { classicAlertSettings: { alertsForCriticalOperations: "Disabled" } } },
  });
  assert.equal(patched.json.properties.monitoringSettings.classicAlertSettings.alertsForCriticalOperations, "Disabled");
  assert.equal(patched.json.properties.monitoringSettings.azureMonitorAlertSettings.alertsForAllJobFailures, "Enabled");
  assert.deepEqual(patched.json.tags, { a: "b" });
  const list = await rig.call("GET", `${rig.group}/providers/Microsoft.RecoveryServices/vaults`);
  assert.ok(list.json.value.some(({ name }: { name: string }) => name === "life"));
  assert.equal((await rig.vault("DELETE", "life")).status, 200);
  assert.equal((await rig.vault("GET", "life")).status, 404);
  assert.equal((await rig.vault("GET", "life/backupPolicies")).status, 404);
});

test("a change that is wrong is told with the field and what was seen", async () => {
  await make("changed");
  const state = { securitySettings: { immutabilitySettings: { state: "Sometimes" } } };
  assert.match(
    refused(await rig.vault("PATCH", "changed", { properties: state }), 400, "InvalidRequestContent"),
    /'properties.securitySettings.immutabilitySettings.state': must be one of .*Locked. Seen: "Sometimes"/,
  );
});

test("names that Azure refuses are refused", async () => {
  for (const name of ["1vault", "v", "under_score", "x".repeat(51)]) {
    refused(await rig.vault("PUT", name, { location: "eastus", properties: {} }), 400, "InvalidResourceName");
  }
  const check = await rig.call(
    "POST",
    `${rig.group}/providers/Microsoft.RecoveryServices/locations/eastus/checkNameAvailability`,
    { name: "free-name", type: "Microsoft.RecoveryServices/vaults" },
  );
  assert.deepEqual(check.json, { nameAvailable: true });
});

test("identities are spelled as clients compare them, and go with what they belong to", async () => {
  await make("identity");
  const path = `${rig.group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mine`;
  const mine = (await rig.call("PUT", path, { location: "eastus" })).json;
  const patch = async (identity: object): Promise<Record<string, unknown> & { userAssignedIdentities: object }> =>
    (await rig.vault("PATCH", "identity", { identity })).json.identity;
  const system = await patch({ type: "systemassigned" });
  assert.equal(system.type, "SystemAssigned");
  const both = await patch({ type: "systemassigned,userassigned", userAssignedIdentities: { [mine.id]: {} } });
  assert.equal(both.type, "SystemAssigned, UserAssigned");
  assert.equal(both.principalId, system.principalId);
  assert.deepEqual(Reflect.get(both.userAssignedIdentities, mine.id), {
    principalId: mine.properties.principalId,
    clientId: mine.properties.clientId,
  });
  const renamed = await rig.vault("PATCH", "identity", { tags: { kept: "yes" } });
  assert.deepEqual(renamed.json.identity, both, "a patch without identity leaves it");
  const none = await patch({ type: "none", userAssignedIdentities: { [mine.id]: null } });
  assert.deepEqual(none, { type: "None" });
  const missing = await rig.vault("PATCH", "identity", {
    identity: { type: "UserAssigned", userAssignedIdentities: { [`${path}x`]: {} } },
  });
  refused(missing, 400, "InvalidRequestContent");
});

test("a vault acts as nobody but itself, however its identity is spelled in a request", async () => {
  const other = await rig.client.createPrincipal("somebody else");
  const claimed = { type: "SystemAssigned", principalId: other.principalId, tenantId: rig.service.running.tenantId };
  const made = await rig.vault("PUT", "spelled", { location: "eastus", properties: {}, Identity: claimed });
  assert.equal(made.status, 201, made.text);
  assert.equal(made.json.identity.type, "SystemAssigned");
  assert.notEqual(made.json.identity.principalId, other.principalId);
  await make("plain");
  const patched = await rig.vault("PATCH", "plain", { IDENTITY: claimed });
  assert.notEqual(patched.json.identity.principalId, other.principalId, patched.text);
  for (const name of ["spelled", "plain"]) assert.equal((await rig.vault("DELETE", name)).status, 200);
  const there = await rig.client.call("GET", `/v1.0/servicePrincipals/${other.principalId}`);
  assert.equal(there.status, 200, "a vault takes no other's principal with it");
});

test("whoever writes one vault does not attach folders of the server's machine to it", async () => {
  await make("attached");
  const writer = await rig.client.createPrincipal("backup contributor");
  const backupContributor = "5e467623-bb1f-42f4-a55d-6e525e11384b";
  await rig.client.assign(writer.principalId, backupContributor, rig.group);
  const path = `${rig.group}/providers/Microsoft.RecoveryServices/vaults/attached/providers/Microsoft.Holdfast/attach`;
  const answer = await writer.call("POST", `${path}?api-version=2026-01-01`, {
    body: { location: { kind: "folder", path: `${rig.data}/vaults/other` }, key: Buffer.alloc(32).toString("base64") },
  });
  assert.match(refused(answer, 403, "AuthorizationFailed"), /Microsoft.Holdfast\/vaultPlaces\/write/);
});

test("soft delete that is always on and immutability that is locked stay", async () => {
  await make("locked");
  const config = (properties: object): Promise<Answer> =>
    rig.vault("PATCH", "locked/backupconfig/vaultconfig", { properties });
  assert.equal(
    (await config({ softDeleteFeatureState: "Disabled" })).json.properties.softDeleteFeatureState,
    "Disabled",
  );
  refused(await config({ softDeleteRetentionPeriodInDays: 13 }), 400, "BMSUserErrorInvalidInput");
  refused(await config({ softDeleteRetentionPeriodInDays: 181 }), 400, "BMSUserErrorInvalidInput");
  assert.equal((await config({ softDeleteFeatureState: "AlwaysON", softDeleteRetentionPeriodInDays: 90 })).status, 200);
  refused(await config({ softDeleteFeatureState: "Enabled" }), 400, "BMSUserErrorSoftDeleteAlwaysOn");
  refused(await config({ softDeleteRetentionPeriodInDays: 30 }), 400, "BMSUserErrorSoftDeleteAlwaysOn");
  const seen = (await rig.vault("GET", "locked")).json.properties.securitySettings.softDeleteSettings;
  assert.deepEqual([seen.softDeleteState, seen.softDeleteRetentionPeriodInDays], ["AlwaysON", 90]);
  const immutable = (state: string): Promise<Answer> =>
    rig.vault("PATCH", "locked", { properties: { securitySettings: { immutabilitySettings: { state } } } });
  for (const state of ["Unlocked", "Disabled", "Unlocked", "Locked"])
    assert.equal((await immutable(state)).status, 200);
  for (const state of ["Unlocked", "Disabled"]) refused(await immutable(state), 400, "BMSUserErrorImmutabilityLocked");
  const again = await rig.vault("PUT", "locked", { location: "eastus", properties: {} });
  assert.equal(again.json.properties.securitySettings.immutabilitySettings.state, "Locked", "a PUT does not reset it");
});

test("redundancy is kept and shown under all its names", async () => {
  await make("storage");
  const path = "storage/backupstorageconfig/vaultstorageconfig";
  const put = await rig.vault("PUT", path, { properties: { storageModelType: "LocallyRedundant" } });
  assert.deepEqual(
    [put.status, put.json.properties.storageType, put.json.properties.storageModelType],
    [200, "LocallyRedundant", "LocallyRedundant"],
  );
  refused(
    await rig.vault("PUT", path, { properties: { crossRegionRestoreFlag: true } }),
    400,
    "BMSUserErrorInvalidInput",
  );
  const geo = { storageModelType: "GeoRedundant", crossRegionRestoreFlag: true };
  assert.equal((await rig.vault("PUT", path, { properties: geo })).status, 200);
  refused(
    await rig.vault("PUT", path, { properties: { crossRegionRestoreFlag: false } }),
    400,
    "BMSUserErrorInvalidInput",
  );
  assert.equal((await rig.vault("PATCH", path, { properties: { dedupState: "Disabled" } })).status, 204);
  assert.equal((await rig.vault("GET", "storage")).json.properties.redundancySettings.crossRegionRestore, "Enabled");
});

test("a new vault has Azure's three policies, which filters find", async () => {
  await make("seeded");
  const names = async (filter: string): Promise<string[]> => {
    const list = await rig.vault("GET", `seeded/backupPolicies?$filter=${encodeURIComponent(filter)}`);
    return list.json.value.map(({ name }: { name: string }) => name);
  };
  assert.deepEqual(await names(""), ["DefaultPolicy", "EnhancedPolicy", "HourlyLogBackup"]);
  assert.deepEqual(await names("backupManagementType eq 'AzureWorkLoad'"), ["HourlyLogBackup"]);
  assert.deepEqual(await names("backupManagementType eq 'AzureIaasVM' and workloadType eq 'VM'"), [
    "DefaultPolicy",
    "EnhancedPolicy",
  ]);
  refused(await rig.vault("GET", "seeded/backupPolicies?$filter=colour%20eq%20'x'"), 400, "InvalidFilterInQueryString");
});

test("a policy is put, changed and deleted; nonsense is refused with every field named", async () => {
  await make("policies");
  const { properties } = (await rig.vault("GET", "policies/backupPolicies/DefaultPolicy")).json;
  assert.equal(properties.protectedItemsCount, 0);
  const own = await rig.vault("PUT", "policies/backupPolicies/Own", { properties });
  assert.equal(own.status, 200);
  assert.match(own.json.id, /\/backupPolicies\/Own$/);
  const wrong = structuredClone(properties);
  wrong.timeZone = "Mars";
  wrong.retentionPolicy.dailySchedule.retentionDuration.count = 0;
  const answer = await rig.vault("PUT", "policies/backupPolicies/Own", { properties: wrong });
  refused(answer, 400, "BMSUserErrorInvalidPolicyInput");
  const targets = answer.json.error.details.map(({ target }: { target: string }) => target);
  assert.ok(targets.includes("properties.timeZone"));
  assert.ok(targets.includes("properties.retentionPolicy.dailySchedule.retentionDuration.count"));
  const enhanced = await rig.vault("PUT", "policies/backupPolicies/EnhancedPolicy", { properties });
  assert.match(refused(enhanced, 400, "BMSUserErrorInvalidPolicyInput"), /cannot become a standard one/);
  assert.equal((await rig.vault("DELETE", "policies/backupPolicies/own")).status, 200);
  assert.equal((await rig.vault("DELETE", "policies/backupPolicies/own")).status, 204);
  refused(await rig.vault("GET", "policies/backupPolicies/own"), 404, "BMSUserErrorPolicyNotFound");
});

test("two changes of one policy do not overwrite each other when they say what they saw", async () => {
  await make("race");
  const path = "race/backupPolicies/DefaultPolicy";
  const { properties, eTag } = (await rig.vault("GET", path)).json;
  const send = (method: string, seen: string): Promise<Answer> =>
    rig.client.call(method, `${rig.group}/providers/Microsoft.RecoveryServices/vaults/${path}?api-version=2023-06-01`, {
      ...(method === "PUT" ? { body: { properties } } : {}),
      headers: { "If-Match": seen },
    });
  const puts = await Promise.all([send("PUT", eTag), send("PUT", eTag)]);
  assert.deepEqual(puts.map(({ status }) => status).sort(), [200, 412]);
  refused(await send("DELETE", eTag), 412, "PreconditionFailed");
  assert.equal((await send("DELETE", (await rig.vault("GET", path)).json.eTag)).status, 200);
});

test("a resource guard stands before what it protects, for everybody without rights on it", async () => {
  await make("guarded");
  const guardPath = `${rig.group}/providers/Microsoft.DataProtection/resourceGuards/guard`;
  const guard = (await rig.call("PUT", guardPath, { location: "eastus", properties: {} })).json;
  assert.equal(guard.properties.resourceGuardOperations.length, 6);
  const proxyPath = "guarded/backupResourceGuardProxies/VaultProxy";
  assert.deepEqual((await rig.vault("GET", "guarded/backupResourceGuardProxies")).json.value, []);
  const proxy = await rig.vault("PUT", proxyPath, { properties: { resourceGuardResourceId: guard.id } });
  assert.equal(proxy.status, 200, proxy.text);
  const details: { vaultCriticalOperation: string; defaultResourceRequest: string }[] =
    proxy.json.properties.resourceGuardOperationDetails;
  const requestFor = (operation: string): string =>
    details.find(({ vaultCriticalOperation }) => vaultCriticalOperation.endsWith(operation))!.defaultResourceRequest;

  const config = { softDeleteFeatureState: "Disabled" };
  const consent = { resourceGuardOperationRequests: [requestFor("/backupconfig/write")] };
  const forbidden = "UserErrorResourceGuardOperationForbidden";
  refused(await rig.vault("PATCH", "guarded/backupconfig/vaultconfig", { properties: config }), 403, forbidden);
  const insider = await rig.client.createPrincipal("vault admin");
  await rig.client.assign(
    insider.principalId,
    "b24988ac-6180-42a0-ab88-20f7382dd24c",
    `${rig.group}/providers/Microsoft.RecoveryServices/vaults/guarded`,
  );
  await rig.client.assign(insider.principalId, "acdd72a7-3385-48ef-bd42-f606fba81ae7", guard.id);
  const asInsider = (method: string, path: string, body?: object): Promise<Answer> =>
    insider.call(method, `${rig.group}/providers/Microsoft.RecoveryServices/vaults/${path}?api-version=2023-06-01`, {
      body,
    });
  const patch = { properties: { ...config, ...consent } };
  refused(await asInsider("PATCH", "guarded/backupconfig/vaultconfig", patch), 403, forbidden);
  assert.equal((await rig.vault("PATCH", "guarded/backupconfig/vaultconfig", patch)).status, 200);

  const { properties } = (await rig.vault("GET", "guarded/backupPolicies/DefaultPolicy")).json;
  properties.retentionPolicy.dailySchedule.retentionDuration.count = 8;
  refused(await rig.vault("PUT", "guarded/backupPolicies/DefaultPolicy", { properties }), 403, forbidden);
  properties.retentionPolicy.dailySchedule.retentionDuration.count = 80;
  assert.equal((await rig.vault("PUT", "guarded/backupPolicies/DefaultPolicy", { properties })).status, 200);

  refused(await rig.vault("POST", "guarded/backupSecurityPIN", {}), 403, forbidden);
  refused(await rig.call("DELETE", guardPath), 409, "Conflict");
  refused(await rig.vault("DELETE", proxyPath), 403, forbidden);
  const unlock = { resourceGuardOperationRequests: [requestFor("/backupResourceGuardProxies/delete")] };
  refused(await asInsider("POST", `${proxyPath}/unlockDelete`, unlock), 403, forbidden);
  const unlocked = await rig.vault("POST", `${proxyPath}/unlockDelete`, unlock);
  assert.match(unlocked.json.unlockDeleteExpiryTime, /^\d{4}-/);
  refused(await asInsider("DELETE", proxyPath), 403, forbidden);
  assert.equal((await rig.vault("DELETE", proxyPath)).status, 200);
  assert.equal((await rig.vault("DELETE", proxyPath)).status, 204);
  // A consent holds once.
  await rig.vault("PUT", proxyPath, { properties: { resourceGuardResourceId: guard.id } });
  refused(await rig.vault("DELETE", proxyPath), 403, forbidden);
  // And for ten minutes.
  await rig.vault("POST", `${proxyPath}/unlockDelete`, unlock);
  {
    using database = new DatabaseSync(dataFolder(rig.data).database, { timeout: 10_000 });
    const later = "UPDATE vaults SET unlock = json_set(unlock, '$.until', unlock ->> '$.until' - 600001)";
    assert.equal(database.prepare(`${later} WHERE unlock IS NOT NULL`).run().changes, 1);
  }
  refused(await rig.vault("DELETE", proxyPath), 403, forbidden);
  await rig.vault("POST", `${proxyPath}/unlockDelete`, unlock);
  assert.equal((await rig.vault("DELETE", proxyPath)).status, 200);
  assert.equal((await rig.call("DELETE", guardPath)).status, 200);
});

test("the integrity key comes back as it was given; what is no certificate is refused", async () => {
  await make("extras");
  const path = "extras/extendedInformation/vaultExtendedInfo";
  refused(await rig.vault("GET", path), 404, "ResourceNotFound");
  const put = await rig.vault("PUT", path, { properties: { integrityKey: "c2VjcmV0", algorithm: "None" } });
  assert.equal(put.status, 200, put.text);
  assert.equal((await rig.vault("GET", path)).json.properties.integrityKey, "c2VjcmV0");
  const certificate = { properties: { certificate: "bm90IG9uZQ==" } };
  refused(await rig.vault("PUT", "extras/certificates/agent", certificate), 400, "BMSUserErrorInvalidInput");
  // As some clients send it: the base64 of the base64.
  const twice = Buffer.from(new X509Certificate(rootCertificates[0] ?? "").raw.toString("base64")).toString("base64");
  const kept = await rig.vault("PUT", "extras/certificates/agent", { properties: { certificate: twice } });
  assert.equal(kept.status, 200, kept.text);
  assert.equal((await rig.vault("DELETE", "extras/registeredIdentities/agent")).status, 204);
  assert.equal((await rig.vault("GET", "extras/privateLinkResources")).json.value.length, 3);
  const link = await rig.vault("GET", "extras/privateLinkResources/backupResource");
  assert.equal(link.json.properties.groupId, "AzureBackup");
  refused(await rig.vault("GET", "extras/operationStatus/none"), 404, "OperationNotFound");
});

test("replication to other sites is nowhere, and what would set it up is refused", async () => {
  await make("alone");
  assert.deepEqual((await rig.vault("GET", "alone/replicationFabrics")).json.value, []);
  const setting = { properties: { sendToOwners: "Send", locale: "en-US" } };
  const put = await rig.vault("PUT", "alone/replicationAlertSettings/defaultAlertSetting", setting);
  refused(put, 400, "BMSUserErrorOperationNotSupported");
  refused(await rig.vault("GET", "alone/replicationAlertSettings/defaultAlertSetting"), 404, "ResourceNotFound");
});

test("nonsense never breaks the service", async () => {
  await make("robust");
  const bodies: unknown[] = [
    [],
    7,
    "x",
    { properties: [] },
    { properties: { securitySettings: 5 } },
    { identity: "x" },
  ];
  const paths = [
    "robust",
    "robust/backupPolicies/odd",
    "robust/backupconfig/vaultconfig",
    "robust/backupstorageconfig/vaultstorageconfig",
    "robust/backupResourceGuardProxies/VaultProxy",
    "robust/certificates/odd",
  ];
  for (const path of paths) {
    for (const body of bodies) {
      const { status, text } = await rig.vault("PUT", path, body);
      assert.ok(status < 500, `${path} ${JSON.stringify(body)}: ${text}`);
    }
  }
});
