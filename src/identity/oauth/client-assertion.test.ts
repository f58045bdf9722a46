// The real ClientCertificateCredential, and what a forger could send instead.

import "reflect-metadata";
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { before, test } from "node:test";
import { ClientCertificateCredential } from "@azure/identity";
import * as x509 from "@peculiar/x509";
import { SignJWT, importPKCS8, type CryptoKey } from "jose";
import { newGuid } from "../../lib/random.ts";
import { testIdentity, type TestIdentity } from "../testing/identity-service.ts";
import { assertionType } from "./client-assertion.ts";

interface Made {
  readonly pem: string;
  readonly certificate: string;
  readonly key: CryptoKey;
  readonly thumbprint: string;
}

async function makeCertificate(modulusLength = 2048, days = 30): Promise<Made> {
  x509.cryptoProvider.set(webcrypto);
  const algorithm = {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    modulusLength,
    publicExponent: new Uint8Array([1, 0, 1]),
  };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=robot",
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: new Date(Date.now() + days * 86_400_000),
    signingAlgorithm: algorithm,
    keys,
  });
  const pkcs8 = x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
  return {
    pem: `${pkcs8}\n${certificate.toString("pem")}\n`,
    certificate: Buffer.from(certificate.rawData).toString("base64"),
    key: await importPKCS8(pkcs8, "RS256"),
    thumbprint: Buffer.from(await certificate.getThumbprint("SHA-1")).toString("base64url"),
  };
}

let made: Made;
before(async () => {
  made = await makeCertificate();
});

async function graph(
  service: TestIdentity,
  method: string,
  path: string,
  body: unknown,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const authorization = `Bearer ${await service.adminToken("https://graph.microsoft.com/.default")}`;
  const reply = await service.app.request(`/v1.0${path}`, {
    method,
    headers: { authorization },
    body: JSON.stringify(body),
  });
  const text = await reply.text();
  return { status: reply.status, body: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>) };
}

/** Client id of a new application with that certificate, as az makes it. */
async function register(service: TestIdentity, { certificate }: Made): Promise<{ id: string; appId: string }> {
  const credential = {
    "@odata.type": "#microsoft.graph.keyCredential",
    displayName: null,
    key: certificate.replaceAll(/(.{64})/g, "$1\n"),
    keyId: newGuid(),
    type: "AsymmetricX509Cert",
    usage: "Verify",
  };
  const { status, body } = await graph(service, "POST", "/applications", {
    displayName: "robot",
    keyCredentials: [credential],
  });
  assert.equal(status, 201);
  assert.equal((body["keyCredentials"] as { key: null }[])[0]?.key, null);
  await graph(service, "POST", "/servicePrincipals", { appId: body["appId"] });
  return { id: String(body["id"]), appId: String(body["appId"]) };
}

async function send(
  service: TestIdentity,
  appId: string,
  assertion: string,
): Promise<{ status: number; codes: unknown }> {
  const reply = await service.post(`/${service.admin.tenantId}/oauth2/v2.0/token`, {
    grant_type: "client_credentials",
    client_id: appId,
    client_assertion_type: assertionType,
    client_assertion: assertion,
    scope: "https://management.azure.com/.default",
  });
  return { status: reply.status, codes: ((await reply.json()) as { error_codes?: number[] }).error_codes };
}

function sign(
  service: TestIdentity,
  appId: string,
  changes: Record<string, unknown> = {},
  by = made,
  header: Record<string, unknown> = {},
): Promise<string> {
  const now = Math.floor(service.clock.now() / 1000);
  const aud = `https://localhost:8443/${service.admin.tenantId}/oauth2/v2.0/token`;
  const claims = { iss: appId, sub: appId, aud, nbf: now, exp: now + 600, jti: newGuid(), ...changes };
  return new SignJWT(claims).setProtectedHeader({ alg: "RS256", x5t: by.thumbprint, ...header }).sign(by.key);
}

test("ClientCertificateCredential signs in with the certificate that the application was given", async () => {
  await using service = await testIdentity();
  const { appId } = await register(service, made);
  const { origin, authority } = await service.listen();
  const options = {
    authorityHost: origin,
    disableInstanceDiscovery: true,
    tlsOptions: { ca: authority },
    retryOptions: { maxRetries: 0 },
  };
  const credential = new ClientCertificateCredential(service.admin.tenantId, appId, { certificate: made.pem }, options);
  const { token } = await credential.getToken("https://management.azure.com/.default");
  const verified = await service.identity.tokens.verify(token, { audiences: service.identity.audiences() });
  assert.equal(verified.appId, appId);
  const other = await makeCertificate();
  const stranger = new ClientCertificateCredential(service.admin.tenantId, appId, { certificate: other.pem }, options);
  await assert.rejects(stranger.getToken("https://management.azure.com/.default"), /AADSTS700027/);
});

test("an assertion about another app, for another place, out of time or signed otherwise is refused", async () => {
  await using service = await testIdentity();
  const { appId } = await register(service, made);
  const now = Math.floor(service.clock.now() / 1000);
  const other = await makeCertificate();
  assert.equal((await send(service, appId, await sign(service, appId))).status, 200);
  const padded = await sign(service, appId, {}, made, { x5t: `${made.thumbprint}=` });
  assert.equal((await send(service, appId, padded)).status, 200);
  const good = await sign(service, appId);
  const [head, body, signature] = good.split(".");
  const none = Buffer.from(JSON.stringify({ alg: "none", x5t: made.thumbprint })).toString("base64url");
  const cases: readonly (readonly [string, string, number])[] = [
    ["another subject", await sign(service, appId, { sub: newGuid() }), 700027],
    ["another issuer", await sign(service, appId, { iss: newGuid() }), 700027],
    ["another audience", await sign(service, appId, { aud: "https://login.example/token" }), 700023],
    [
      "an audience that only begins like ours",
      await sign(service, appId, { aud: "https://localhost:8443.evil.example/" }),
      700023,
    ],
    ["an old one", await sign(service, appId, { exp: now - 1 }), 700024],
    ["one for ever", await sign(service, appId, { exp: now + 1e9 }), 700024],
    ["one of tomorrow", await sign(service, appId, { nbf: now + 86_400, exp: now + 86_500 }), 700024],
    ["another key under our name", await sign(service, appId, {}, { ...other, thumbprint: made.thumbprint }), 700027],
    ["an unknown certificate", await sign(service, appId, {}, other), 700027],
    ["no signature", `${none}.${body}.`, 700027],
    [
      "a changed body",
      `${head}.${Buffer.from(JSON.stringify({ iss: appId })).toString("base64url")}.${signature}`,
      700027,
    ],
    ["rubbish", "x", 700027],
  ];
  for (const [what, assertion, code] of cases) {
    service.from(what);
    const reply = await send(service, appId, assertion);
    assert.deepEqual([reply.status, reply.codes], [401, [code]], what);
  }
});

test("a certificate past its end says so", async () => {
  await using service = await testIdentity();
  const { appId } = await register(service, made);
  service.clock.advance(31 * 86_400_000);
  assert.deepEqual(await send(service, appId, await sign(service, appId)), { status: 401, codes: [7000222] });
});

test("a list that is read, extended and written back keeps what it had; an empty one ends it", async () => {
  await using service = await testIdentity();
  const { id, appId } = await register(service, made);
  const second = await makeCertificate();
  const read = await graph(service, "GET", `/applications/${id}`, undefined);
  const list = read.body["keyCredentials"] as object[];
  const added = { key: second.certificate, keyId: newGuid(), type: "AsymmetricX509Cert", usage: "Verify" };
  assert.equal(
    (await graph(service, "PATCH", `/applications/${id}`, { keyCredentials: [...list, added] })).status,
    204,
  );
  for (const by of [made, second])
    assert.equal((await send(service, appId, await sign(service, appId, {}, by))).status, 200);
  await graph(service, "PATCH", `/applications/${id}`, { displayName: "renamed" });
  assert.equal((await send(service, appId, await sign(service, appId))).status, 200);
  await graph(service, "PATCH", `/applications/${id}`, { keyCredentials: [] });
  assert.deepEqual((await send(service, appId, await sign(service, appId))).codes, [700027]);
});

test("a weak key and what is no certificate are refused when they are written", async () => {
  await using service = await testIdentity();
  const weak = await makeCertificate(1024);
  for (const key of [weak.certificate, "AAAA", "", null]) {
    const { status, body } = await graph(service, "POST", "/applications", {
      displayName: "x",
      keyCredentials: [{ key }],
    });
    assert.equal(status, 400);
    assert.match(JSON.stringify(body), /Key credential has an invalid value/);
  }
});
