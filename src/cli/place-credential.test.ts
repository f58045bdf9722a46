import assert from "node:assert/strict";
import { test } from "node:test";
import { storeCredential } from "../backup/stores/location.ts";
import { placeCredential } from "./place-credential.ts";

const environment = {
  AWS_ACCESS_KEY_ID: "id",
  AWS_SECRET_ACCESS_KEY: "secret",
  AZURE_STORAGE_KEY: "",
  AZURE_STORAGE_SAS_TOKEN: "sv=1",
};

test("a place gets the credential of its own kind, in the form that the service takes", () => {
  const s3 = placeCredential("s3://bucket", environment);
  assert.deepEqual(storeCredential.parse(s3), { kind: "s3", accessKeyId: "id", secretAccessKey: "secret" });
  const azblob = placeCredential("azblob://account/container", environment);
  assert.deepEqual(storeCredential.parse(azblob), { kind: "azureSas", token: "sv=1" });
  assert.equal(placeCredential("/mnt/copy", environment), undefined);
  assert.equal(placeCredential("s3://bucket", { AWS_ACCESS_KEY_ID: "id" }), undefined);
});
