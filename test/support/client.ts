// HTTP as the administrator of a service, or as principals that it makes.

import { readFile } from "node:fs/promises";
import { newGuid } from "../../src/lib/random.ts";
import { readAdmin, type RunningService } from "../../src/server/data-folder.ts";
import { send, type Answer, type CallOptions } from "./service.ts";

export interface Client {
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
}

export interface TestClient extends Client {
  createPrincipal(displayName: string): Promise<Client & { principalId: string }>;
  assign(principalId: string, roleDefinitionName: string, scope: string): Promise<void>;
}

export async function clientFor(running: RunningService, data: string): Promise<TestClient> {
  const authority = await readFile(running.ca);
  const credentials = await readAdmin(data);
  if (credentials === undefined) throw new Error("no admin.json");

  const signIn = async (clientId: string, clientSecret: string): Promise<Client> => {
    const form = new URLSearchParams({
      grant_type: "client_credentials",
      client_id: clientId,
      client_secret: clientSecret,
      scope: `${running.endpoint}/.default`,
    });
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    const answer = await send(
      `${running.endpoint}/${running.tenantId}/oauth2/v2.0/token`,
      "POST",
      authority,
      headers,
      form.toString(),
    );
    const token = (JSON.parse(answer.text) as { access_token?: string }).access_token;
    if (token === undefined) throw new Error(`no token: ${answer.text}`);
    return {
      call: (method, path, options = {}) => {
        const body = options.text ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
        const given = body === undefined ? undefined : { "Content-Type": "application/json" };
        return send(
          `${running.endpoint}${path}`,
          method,
          authority,
          { Authorization: `Bearer ${options.token ?? token}`, ...given, ...options.headers },
          body,
        );
      },
    };
  };

  const admin = await signIn(credentials.clientId, credentials.clientSecret);
  const graph = async (path: string, body: object): Promise<Record<string, string>> => {
    const answer = await admin.call("POST", `/v1.0${path}`, { body });
    if (answer.status >= 300) throw new Error(`POST ${path}: ${answer.status} ${answer.text}`);
    return answer.json as Record<string, string>;
  };
  return {
    ...admin,
    createPrincipal: async (displayName) => {
      const application = await graph("/applications", { displayName });
      const principal = await graph("/servicePrincipals", { appId: application["appId"] });
      const secret = await graph(`/applications/${application["id"]}/addPassword`, {
        passwordCredential: { displayName: "test" },
      });
      const client = await signIn(application["appId"] ?? "", secret["secretText"] ?? "");
      return { ...client, principalId: principal["id"] ?? "" };
    },
    assign: async (principalId, roleDefinitionName, scope) => {
      const path = `${scope}/providers/Microsoft.Authorization/roleAssignments/${newGuid()}?api-version=2022-04-01`;
      const roleDefinitionId = `/subscriptions/${running.subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/${roleDefinitionName}`;
      const answer = await admin.call("PUT", path, {
        body: { properties: { roleDefinitionId, principalId, principalType: "ServicePrincipal" } },
      });
      if (answer.status !== 201) throw new Error(`role assignment: ${answer.status} ${answer.text}`);
    },
  };
}
