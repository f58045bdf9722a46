import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { SignJWT, decodeJwt, decodeProtectedHeader } from "jose";
import * as fc from "fast-check";
import { HoldfastError } from "../../lib/errors.ts";
import { testIdentity, type TestIdentity } from "../testing/identity-service.ts";
import { challengeOf } from "./verifier.ts";

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

async function refusedWith(service: TestIdentity, token: string, code: string, tenantId?: string): Promise<string> {
  const demands = { audiences: service.identity.audiences(), tenantId };
  let message = "";
  await assert.rejects(service.identity.tokens.verify(token, demands), (error) => {
    assert.ok(error instanceof HoldfastError);
    assert.equal(error.code, code);
    assert.equal(error.status, 401);
    message = error.message;
    return true;
  });
  return message;
}

test("a token of ours says who it is, by any of the accepted audiences", async () => {
  await using service = await testIdentity();
  for (const scope of [
    "https://localhost:8443/.default",
    "https://management.azure.com/.default",
    "https://management.core.windows.net//.default",
    "https://MANAGEMENT.azure.com/user_impersonation",
  ]) {
    const header = `Bearer ${await service.adminToken(scope)}`;
    const verified = await service.identity.tokens.verifyHeader(header, {
      audiences: service.identity.audiences(),
      tenantId: service.admin.tenantId,
    });
    assert.equal(verified.appId, service.admin.clientId);
    assert.equal(verified.name, service.admin.clientId);
    assert.equal(verified.type, "ServicePrincipal");
  }
});

test("alg none, HMAC keyed with the public key, and a lying header are refused", async () => {
  await using service = await testIdentity();
  const token = await service.adminToken();
  const [header = "", payload = ""] = token.split(".");
  const { kid } = decodeProtectedHeader(token);
  for (const alg of ["none", "None", "HS256", "RS512", "ES256", undefined]) {
    const forged = encode({ alg, typ: "JWT", kid });
    await refusedWith(service, `${forged}.${payload}.`, "InvalidAuthenticationToken");
  }
  const reply = await service.app.request("/adfs/discovery/keys");
  const { keys } = (await reply.json()) as { keys: { n: string }[] };
  for (const secret of [JSON.stringify(keys[0]), keys[0]!.n]) {
    const signed = `${encode({ alg: "HS256", kid })}.${payload}`;
    const mac = createHmac("sha256", secret).update(signed).digest("base64url");
    await refusedWith(service, `${signed}.${mac}`, "InvalidAuthenticationToken");
  }
  await refusedWith(service, `${header}.${payload}.`, "InvalidAuthenticationToken");
});

test("a token signed by somebody else is refused, whatever key id or embedded key it names", async () => {
  await using service = await testIdentity();
  const token = await service.adminToken();
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = publicKey.export({ format: "jwk" });
  for (const header of [
    { alg: "RS256", kid: decodeProtectedHeader(token).kid },
    { alg: "RS256", kid: "unknown" },
    { alg: "RS256" },
    { alg: "RS256", kid: "unknown", jwk },
    { alg: "RS256", kid: "unknown", jku: "https://example.com/keys" },
  ]) {
    const forged = await new SignJWT(decodeJwt(token)).setProtectedHeader(header).sign(privateKey);
    await refusedWith(service, forged, "InvalidAuthenticationToken");
  }
});

test("no byte of a token can be changed", async () => {
  await using service = await testIdentity();
  const token = await service.adminToken();
  const claims = decodeJwt(token);
  const [header, , signature = ""] = token.split(".");
  await refusedWith(
    service,
    `${header}.${encode({ ...claims, oid: "someone-else" })}.${signature}`,
    "InvalidAuthenticationToken",
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(token.length - 1), fc.constantFrom("A", "b", "0", "_", ".", "!"), async (at, letter) => {
      const changed = token.slice(0, at) + letter + token.slice(at + 1);
      // The last letter of base64url carries bits that decoding ignores.
      const same = changed.split(".").every((part, index) => {
        const own = token.split(".")[index] ?? "";
        return Buffer.from(part, "base64url").equals(Buffer.from(own, "base64url")) && /^[\w-]+$/.test(part);
      });
      if (same) return;
      await refusedWith(service, changed, "InvalidAuthenticationToken");
    }),
    { numRuns: 150 },
  );
});

test("rubbish of any kind is refused, not crashed on", async () => {
  await using service = await testIdentity();
  for (const token of [
    "",
    ".",
    "..",
    "a.b.c",
    "x".repeat(20_000),
    `${encode({ alg: "RS256" })}.e30.`,
    `${encode([])}.e30.x`,
  ]) {
    await refusedWith(service, token, "InvalidAuthenticationToken");
  }
});

test("an expired token says when it expired, also when it was known and good before", async () => {
  await using service = await testIdentity({ start: Date.parse("2026-11-21T03:00:00Z") });
  const token = await service.adminToken();
  const demands = { audiences: service.identity.audiences() };
  await service.identity.tokens.verify(token, demands);
  service.clock.advance(3_600_000);
  const message = await refusedWith(service, token, "ExpiredAuthenticationToken");
  assert.equal(
    message,
    "The access token expiry UTC time '11/21/2026 4:00:00 AM' is earlier than current UTC time '11/21/2026 4:00:00 AM'.",
  );
});

test("a token from the future is not yet valid", async () => {
  await using service = await testIdentity();
  const token = await service.adminToken();
  service.clock.advance(-120_000);
  assert.match(await refusedWith(service, token, "InvalidAuthenticationToken"), /not yet valid/);
});

test("another audience, another tenant and another issuer have codes of their own", async () => {
  await using service = await testIdentity();
  const vault = await service.adminToken("https://vault.azure.net/.default");
  assert.match(
    await refusedWith(service, vault, "InvalidAuthenticationTokenAudience"),
    /'https:\/\/vault\.azure\.net'/,
  );
  const other = "11111111-2222-3333-4444-555555555555";
  const token = await service.adminToken();
  assert.match(await refusedWith(service, token, "InvalidAuthenticationTokenTenant", other), new RegExp(other));
  const { origin } = await service.listen();
  assert.notEqual(origin, "https://localhost:8443");
  assert.match(await refusedWith(service, token, "InvalidAuthenticationToken"), /issuer 'https:\/\/localhost:8443/);
});

test("a missing or malformed header is AuthenticationFailed, with a challenge that names the authority", async () => {
  await using service = await testIdentity();
  for (const header of [undefined, "", "Basic abc", "Bearer", "Bearer a b", "Bearer \u00e4"]) {
    await assert.rejects(
      service.identity.tokens.verifyHeader(header, { audiences: service.identity.audiences() }),
      (error) => {
        assert.ok(error instanceof HoldfastError);
        assert.equal(error.code, "AuthenticationFailed");
        assert.match(
          challengeOf(error, "https://localhost:8443", "t"),
          /^Bearer authorization_uri="https:\/\/localhost:8443\/t", error="invalid_token", error_description="[^"]+"$/,
        );
        return true;
      },
    );
  }
});

test("an ID token is no access token", async () => {
  await using service = await testIdentity();
  const reply = await service.post("/adfs/oauth2/token", {
    grant_type: "password",
    client_id: "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
    username: service.admin.username,
    password: service.admin.password,
    scope: "https://localhost:8443/.default openid",
  });
  const { id_token } = (await reply.json()) as { id_token: string };
  await refusedWith(service, id_token, "InvalidAuthenticationToken");
});
