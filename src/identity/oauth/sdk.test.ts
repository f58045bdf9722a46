// The real @azure/identity against a real TLS listener.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ClientSecretCredential, UsernamePasswordCredential } from "@azure/identity";
import { testIdentity } from "../testing/identity-service.ts";

test("ClientSecretCredential signs in, and its token is taken; a wrong secret is told with Azure's number", async () => {
  await using service = await testIdentity();
  const { origin, authority } = await service.listen();
  const { tenantId, clientId, clientSecret } = service.admin;
  const options = {
    authorityHost: origin,
    disableInstanceDiscovery: true,
    tlsOptions: { ca: authority },
    retryOptions: { maxRetries: 0 },
  };
  const credential = new ClientSecretCredential(tenantId, clientId, clientSecret, options);
  for (const scope of [`${origin}/.default`, "https://management.azure.com/.default"]) {
    const { token, expiresOnTimestamp } = await credential.getToken(scope);
    assert.ok(expiresOnTimestamp > service.clock.now());
    const verified = await service.identity.tokens.verify(token, { audiences: service.identity.audiences(), tenantId });
    assert.equal(verified.appId, clientId);
  }
  const wrong = new ClientSecretCredential(tenantId, clientId, "wrong", options);
  await assert.rejects(wrong.getToken(`${origin}/.default`), /AADSTS7000215/);
  const elsewhere = new ClientSecretCredential("11111111-2222-3333-4444-555555555555", clientId, clientSecret, options);
  await assert.rejects(elsewhere.getToken(`${origin}/.default`), /AADSTS90002|endpoints_resolution_error/);
});

test("UsernamePasswordCredential signs a user in, silently again from its cache", async () => {
  await using service = await testIdentity();
  const { origin, authority } = await service.listen();
  const { tenantId, username, password } = service.admin;
  const options = { authorityHost: origin, disableInstanceDiscovery: true, tlsOptions: { ca: authority } };
  const credential = new UsernamePasswordCredential(
    tenantId,
    "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
    username,
    password,
    options,
  );
  const { token } = await credential.getToken("https://management.azure.com/.default");
  const verified = await service.identity.tokens.verify(token, { audiences: service.identity.audiences(), tenantId });
  assert.equal(verified.name, username);
});
