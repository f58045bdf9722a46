import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { checkPlace, strictPlaces, type NamedPlace } from "./place-rules.ts";

let root: string;
let data: string;
let allowed: string;
before(() => {
  root = mkdtempSync(join(tmpdir(), "holdfast-places-"));
  [data, allowed] = [join(root, "data"), join(root, "allowed")];
  for (const folder of [data, allowed, join(root, "data-of-others")]) mkdirSync(folder);
  symlinkSync(root, join(data, "out"));
  symlinkSync(join(root, "later"), join(data, "dangling"));
});
after(() => rmSync(root, { recursive: true, force: true }));

const credential = { kind: "s3", accessKeyId: "a", secretAccessKey: "b" } as const;
const folder = (path: string): NamedPlace => ({ location: { kind: "folder", path } });
const s3 = (endpoint: string): NamedPlace => ({
  location: { kind: "s3", url: `s3://bucket/prefix?endpoint=${encodeURIComponent(endpoint)}` },
  credential,
});
const check = (place: NamedPlace, rules = strictPlaces): Promise<void> => checkPlace(rules, data, place);
const refused = { code: "PlaceNotAllowed", status: 403 };

test("a folder is below the data folder, or below one that the server allows", async () => {
  await check({ location: { kind: "folder" } });
  await check(folder(join(data, "not", "there", "yet")));
  await check(folder(join(allowed, "vault")), { ...strictPlaces, folders: [allowed] });
  for (const path of [join(allowed, "vault"), join(root, "data-of-others"), "/", "/etc", data])
    await assert.rejects(check(folder(path)), refused, path);
});

test("neither links nor dots lead out of it", async () => {
  for (const path of [
    join(data, "out", "elsewhere"),
    `${data}/../allowed/vault`,
    join(data, "dangling"),
    join(data, "dangling", "vault"),
  ])
    await assert.rejects(check(folder(path)), refused, path);
});

test("a service on this machine is refused unless the server allows it, one on the local link always", async () => {
  const lenient = { ...strictPlaces, allowLoopback: true };
  for (const endpoint of ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000", "http://2130706433"]) {
    await assert.rejects(check(s3(endpoint)), refused, endpoint);
    await check(s3(endpoint), lenient);
  }
  for (const endpoint of ["http://169.254.169.254/latest", "http://[fe80::1]/", "http://0.0.0.0:80"])
    await assert.rejects(check(s3(endpoint), lenient), refused, endpoint);
  await check(s3("https://10.1.2.3"));
});

test("without a credential the server's own is not used unless that is allowed; the snapshot tier is a folder", async () => {
  const place: NamedPlace = { location: { kind: "azblob", url: "azblob://account/container" } };
  await assert.rejects(check(place), refused);
  await check(place, { ...strictPlaces, useServerCredentials: true });
  await assert.rejects(check({ ...place, credential: { kind: "azureKey", key: "k" }, hot: place.location }), refused);
});
