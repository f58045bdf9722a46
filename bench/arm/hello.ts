// The bare peer: hono behind the same TLS listener, answering a constant.

import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";

const [certificate = "", key = ""] = process.argv.slice(2);
const app = new Hono();
app.get("*", (context) => context.json({ hello: "world" }));
const server = createAdaptorServer({
  fetch: app.fetch,
  createServer,
  serverOptions: { cert: readFileSync(certificate), key: readFileSync(key) },
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
