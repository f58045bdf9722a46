import { randomUUID } from "node:crypto";
import { AuthorizationManagementClient } from "@azure/arm-authorization";
import { ResourceManagementClient } from "@azure/arm-resources";
import { credential, endpoint, subscriptionId } from "./clients.ts";

const resources = new ResourceManagementClient(credential, subscriptionId, { endpoint });
const client = new AuthorizationManagementClient(credential, subscriptionId, { endpoint });

const group = await resources.resourceGroups.createOrUpdate("roles", { location: "local" });
const scope = group.id ?? "";
const identity = await resources.resources.createOrUpdate(
  "roles",
  "Microsoft.ManagedIdentity",
  "",
  "userAssignedIdentities",
  "worker",
  "2023-01-31",
  { location: "local" },
);
const principalId = String((identity.properties as Record<string, unknown>)["principalId"]);

const definitions = [];
for await (const definition of client.roleDefinitions.list(scope, { filter: "roleName eq 'Backup Operator'" }))
  definitions.push(definition);
const roleDefinitionId = definitions[0]?.id ?? "";
const name = randomUUID();
const made = await client.roleAssignments.create(scope, name, {
  roleDefinitionId,
  principalId,
  principalType: "ServicePrincipal",
});
const listed = [];
for await (const assignment of client.roleAssignments.listForScope(scope, { filter: "atScope()" })) {
  if (assignment.principalId === principalId) listed.push(assignment.scope);
}
let twice: string | undefined;
try {
  await client.roleAssignments.create(scope, randomUUID(), {
    roleDefinitionId,
    principalId,
    principalType: "ServicePrincipal",
  });
} catch (error) {
  twice = (error as { code: string }).code;
}
const permissions = [];
for await (const permission of client.permissions.listForResourceGroup("roles")) permissions.push(permission.actions);
await client.roleAssignments.delete(scope, name);
let gone: number | undefined;
try {
  await client.roleAssignments.get(scope, name);
} catch (error) {
  gone = (error as { statusCode: number }).statusCode;
}
process.stdout.write(
  JSON.stringify({
    role: definitions.map((definition) => definition.roleName),
    scope: made.scope === scope,
    listed: listed.map((one) => one === scope),
    twice,
    mine: permissions,
    gone,
  }),
);
