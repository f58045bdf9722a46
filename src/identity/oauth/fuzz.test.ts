// Whatever strangers send, the answer is a refusal, never a fault of ours and never a token.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { testIdentity } from "../testing/identity-service.ts";
import { portalClientId } from "./clients.ts";

const name = fc.constantFrom(
  "grant_type",
  "client_id",
  "client_secret",
  "client_assertion",
  "client_assertion_type",
  "scope",
  "resource",
  "username",
  "password",
  "code",
  "code_verifier",
  "redirect_uri",
  "refresh_token",
  "claims",
  "ticket",
  "__proto__",
  "constructor",
);
const value = fc.oneof(
  fc.constantFrom(
    "client_credentials",
    "password",
    "authorization_code",
    "refresh_token",
    portalClientId,
    "openid",
    "{}",
    "[]",
    "null",
    "a b",
    "%",
    "\0",
    "'",
    "https://x/.default",
  ),
  fc.string({ unit: "binary", maxLength: 40 }),
);
const body = fc.oneof(
  fc.array(fc.tuple(name, value), { maxLength: 8 }).map((pairs) => new URLSearchParams(pairs).toString()),
  fc.string({ unit: "binary", maxLength: 200 }),
);
const path = fc.constantFrom(
  "/adfs/oauth2/token",
  "/common/oauth2/v2.0/token",
  "/x/oauth2/v2.0/token",
  "/%00/oauth2/token",
  "/adfs/oauth2/authorize",
  "/common/oauth2/v2.0/authorize",
);
const runs = process.env["HOLDFAST_TEST_LONG"] === "1" ? 20_000 : 400;

test("forms and queries of any kind are refused", async () => {
  await using service = await testIdentity();
  await fc.assert(
    fc.asyncProperty(path, body, fc.option(value, { nil: undefined }), async (where, text, header) => {
      service.clock.advance(60_000);
      const authorization = header === undefined ? undefined : `Basic ${Buffer.from(header).toString("base64")}`;
      const headers: Record<string, string> = {
        "content-type": "application/x-www-form-urlencoded",
        ...(authorization === undefined ? {} : { authorization }),
      };
      const posted = await service.app.request(where, { method: "POST", body: text, headers });
      assert.ok(posted.status >= 400 && posted.status < 500, `POST ${where} ${text} -> ${posted.status}`);
      const asked = await service.app.request(`${where}?${text.replaceAll("#", "")}`);
      assert.ok(asked.status >= 400 && asked.status < 500, `GET ${where} ${text} -> ${asked.status}`);
    }),
    { numRuns: runs },
  );
});
