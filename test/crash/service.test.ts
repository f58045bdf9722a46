// kill -9 of the whole service while clients write: what a client was told is done is done after the
// restart, a resource is there with its principal or neither is, and a delete that was accepted ends.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { postgresPrograms, startPostgres } from "../../src/db/testing/postgres.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { waitFor } from "../../src/lib/time.ts";
import { startTestService, type TestService } from "../support/service.ts";

const rounds = process.env["HOLDFAST_TEST_LONG"] === "1" ? 200 : 6;
const seed = Number(process.env["HOLDFAST_TEST_SEED"] ?? 20_261_121);
const api = "api-version=2021-04-01";

interface Promised {
  readonly identities: Set<string>;
  readonly deletedGroups: Set<string>;
}

for (const database of ["SQLite", "PostgreSQL"] as const) {
  const skip = database === "PostgreSQL" && postgresPrograms() === undefined ? "PostgreSQL is not installed" : false;
  test(`${database}: ${rounds} kills of the service during writes (seed ${seed})`, { skip }, async () => {
    await using postgres = database === "PostgreSQL" ? await startPostgres({ durable: true }) : undefined;
    const data = await mkdtemp(join(tmpdir(), "holdfast-kill-"));
    const random = seededRandom(seed);
    const promised: Promised = { identities: new Set(), deletedGroups: new Set() };
    const args = postgres === undefined ? [] : ["--database-url", await postgres.newDatabase()];
    try {
      for (let round = 0; round < rounds; round += 1) {
        await using service = await startTestService({ data, args, keepData: true });
        await assertKept(service, promised);
        await writeUntilKilled(service, promised, round, random);
      }
      await using service = await startTestService({ data, args, keepData: true });
      await assertKept(service, promised);
      assert.ok(promised.identities.size > rounds, `only ${promised.identities.size} writes were acknowledged`);
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  });
}

async function writeUntilKilled(
  service: TestService,
  promised: Promised,
  round: number,
  random: () => number,
): Promise<void> {
  const base = `/subscriptions/${service.admin.subscriptionId}/resourceGroups`;
  // The kill comes after so many answers, not after so much time: a slow machine is killed just as well.
  let answersLeft = 1 + Math.floor(random() * 40);
  const enough = Promise.withResolvers<void>();
  const answered = (): void => {
    answersLeft -= 1;
    if (answersLeft <= 0) enough.resolve();
  };
  const client = async (number: number): Promise<void> => {
    const group = `kill-${round}-${number}`;
    for (let count = 0; ; count += 1) {
      const name = count % 20 === 0 ? `${group}-gone-${count}` : group;
      await demand(service, "PUT", `${base}/${name}?${api}`, { location: "local" });
      const identity = `${base}/${name}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-${count}`;
      await demand(service, "PUT", `${identity}?${api}`, { location: "local" });
      answered();
      if (name === group) promised.identities.add(identity);
      else {
        await demand(service, "DELETE", `${base}/${name}?${api}`);
        promised.deletedGroups.add(`${base}/${name}`);
      }
    }
  };
  // Each client ends with the connection that the kill cuts.
  const clients = [0, 1, 2, 3].map((number) => client(number).catch((error: unknown) => error));
  const ends = Promise.all(clients);
  await Promise.race([enough.promise, ends]);
  await new Promise((resolve) => setTimeout(resolve, random() * 15));
  await service.kill();
  for (const ended of await ends) {
    assert.match(
      String(ended),
      /ECONNRESET|ECONNREFUSED|socket hang up|aborted|EPIPE/,
      "a client stopped for another reason than the kill",
    );
  }
}

async function demand(service: TestService, method: string, path: string, body?: object): Promise<void> {
  const answer = await service.call(method, path, { body });
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
}

async function assertKept(service: TestService, promised: Promised): Promise<void> {
  const listed = new Map<string, string>();
  let next: string | undefined =
    `/subscriptions/${service.admin.subscriptionId}/providers/Microsoft.ManagedIdentity/userAssignedIdentities?${api}&$top=1000`;
  while (next !== undefined) {
    const page = await service.call("GET", next);
    for (const { id, properties } of page.json.value) listed.set(id, properties.principalId);
    next = page.json.nextLink?.slice(service.endpoint.length);
  }
  const lost = [...promised.identities].filter((id) => !listed.has(id));
  assert.deepEqual(lost, [], "acknowledged and lost");
  for (const group of promised.deletedGroups) {
    await waitFor(
      `${group} is deleted`,
      async () => ((await service.call("HEAD", `${group}?${api}`)).status === 404 ? true : undefined),
      120_000,
    );
    promised.deletedGroups.delete(group);
  }
  const principals = await managedIdentityPrincipals(service);
  // A delete that was taken up after the restart may have ended between the two lists: look again.
  for (const [id, principalId] of listed) {
    if (principals.has(principalId)) continue;
    assert.equal((await service.call("GET", `${id}?${api}`)).status, 404, `${id} is there without its principal`);
  }
}

async function managedIdentityPrincipals(service: TestService): Promise<Set<string>> {
  const ids = new Set<string>();
  let next: string | undefined = "/v1.0/servicePrincipals?$top=999";
  while (next !== undefined) {
    const page = await service.call("GET", next);
    assert.equal(page.status, 200, page.text);
    for (const { id } of page.json.value) ids.add(id);
    next = page.json["@odata.nextLink"]?.slice(service.endpoint.length);
  }
  return ids;
}
