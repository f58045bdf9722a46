// An identity service for tests: a real database, a clock that stands still, the routes as a hono
// application, and, when asked for, a real TLS listener before them.

import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { openDatabase, type Database, type DatabasePlace } from "../../db/database.ts";
import { temporaryDatabase } from "../../db/testing/temporary-database.ts";
import { manualClock, type ManualClock } from "../../lib/clock.ts";
import { randomBytes } from "../../lib/random.ts";
import { secretBox, type SecretBox } from "../../lib/secret-box.ts";
import { makeAuthority, makeLeaf } from "../../server/make-certificate.ts";
import type { AdministratorSecrets } from "../bootstrap.ts";
import { openIdentity, type Identity } from "../identity.ts";
import type { SignIn } from "../oauth/sign-in-log.ts";

export interface TestIdentity extends AsyncDisposable {
  readonly app: Hono;
  readonly clock: ManualClock;
  readonly database: Database;
  readonly identity: Identity;
  readonly admin: AdministratorSecrets;
  readonly secretBox: SecretBox;
  readonly signIns: readonly SignIn[];
  /** Requests seem to come from here. */
  from(address: string): void;
  post(path: string, form: Readonly<Record<string, string>>, headers?: Record<string, string>): Promise<Response>;
  /** A bearer token of the administrator's service principal. */
  adminToken(scope?: string): Promise<string>;
  /** Listens with TLS and tells where and whom to trust. */
  listen(): Promise<{ readonly origin: string; readonly authority: string }>;
}

export const portalRedirect = "https://localhost:8443/signed-in";

export async function testIdentity(options: { place?: DatabasePlace; start?: number } = {}): Promise<TestIdentity> {
  const clock = manualClock(options.start ?? Date.now());
  const database =
    options.place === undefined ? await temporaryDatabase(clock) : await openDatabase({ ...options.place, clock });
  const signIns: SignIn[] = [];
  let address = "192.0.2.1";
  let origin = "https://localhost:8443";
  const box = secretBox(randomBytes(32));
  const identity = openIdentity({
    database,
    secretBox: box,
    origins: () => [origin],
    portalRedirectUris: () => [portalRedirect],
    addressOf: () => address,
    onSignIn: (signIn) => signIns.push(signIn),
    hashCost: { logN: 4, running: 2, waiting: 64 },
  });
  let saved: AdministratorSecrets | undefined;
  await identity.ensureBootstrap(
    { tenantName: "Test", domain: "holdfast.test", subscriptions: [{ name: "First" }, { name: "Second" }] },
    async (secrets) => {
      saved = secrets;
    },
  );
  if (saved === undefined) throw new Error("the bootstrap gave no secrets");
  const admin = saved;
  const app = new Hono();
  app.route("/", identity.identityRoutes);
  app.route("/", identity.graphRoutes);
  const closers: (() => Promise<void>)[] = [];

  const post: TestIdentity["post"] = async (path, form, headers = {}) =>
    app.request(path, { method: "POST", body: new URLSearchParams(form), headers });

  return {
    app,
    clock,
    database,
    identity,
    admin,
    secretBox: box,
    signIns,
    from: (next) => {
      address = next;
    },
    post,
    adminToken: async (scope = "https://management.azure.com/.default") => {
      const reply = await post(`/${admin.tenantId}/oauth2/v2.0/token`, {
        grant_type: "client_credentials",
        client_id: admin.clientId,
        client_secret: admin.clientSecret,
        scope,
      });
      return ((await reply.json()) as { access_token: string }).access_token;
    },
    listen: async () => {
      const authority = await makeAuthority();
      const leaf = await makeLeaf(authority, ["localhost"]);
      const server = serve({
        fetch: app.fetch,
        port: 0,
        hostname: "127.0.0.1",
        createServer,
        serverOptions: { key: leaf.key, cert: leaf.certificate },
      });
      await new Promise((resolve) => server.once("listening", resolve));
      closers.push(
        () =>
          new Promise((resolve) => {
            server.close(() => resolve());
            if ("closeAllConnections" in server) server.closeAllConnections();
          }),
      );
      origin = `https://localhost:${(server.address() as AddressInfo).port}`;
      return { origin, authority: authority.certificate };
    },
    [Symbol.asyncDispose]: async () => {
      for (const close of closers) await close();
      await database.close();
    },
  };
}
