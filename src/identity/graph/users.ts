// /users and /me: `az ad user …`, `az ad signed-in-user …`.

import { z } from "zod";
import type { Reading } from "../database.ts";
import { ownedBy } from "../directory/groups.ts";
import { findPrincipals, groupsOf } from "../directory/principals.ts";
import { createUser, deleteUser, findUser, listUsers, updateUser, type User } from "../directory/users.ts";
import { directoryErrors } from "../errors.ts";
import { change, notFound, page, readBody, type GraphContext, type GraphService } from "./exchange.ts";
import { parseGraphFilter } from "./filter.ts";
import type { GraphApp } from "./routes.ts";
import { renderStub, renderUser } from "./shapes.ts";

const password = z.string().min(8, "a password has at least 8 characters").max(256);
const passwordProfile = z.object({
  password: password.optional(),
  forceChangePasswordNextSignIn: z.boolean().optional(),
});
const userPrincipalName = z
  .string()
  .max(320)
  .regex(/^[^\s@/\\"'<>]+@[^\s@/\\"'<>]+$/, "must look like name@domain");

const patchBody = z.object({
  accountEnabled: z.boolean().optional(),
  displayName: z.string().min(1).max(256).optional(),
  mailNickname: z.string().min(1).max(64).optional(),
  passwordProfile: passwordProfile.optional(),
  userPrincipalName: userPrincipalName.optional(),
});
const createBody = patchBody.extend({
  displayName: z.string().min(1).max(256),
  passwordProfile: passwordProfile.extend({ password }),
  userPrincipalName,
});

export function userRoutes(app: GraphApp, service: GraphService): void {
  const { database, hasher } = service;

  const find = async (reading: Reading, context: GraphContext): Promise<User> => {
    const id = context.req.param("id") ?? "";
    const user = await findUser(reading, context.get("caller").tenantId, id);
    if (user === undefined) throw notFound(id);
    return user;
  };

  app.get("/me", async (context) => {
    const caller = context.get("caller");
    const user = caller.type === "User" ? await findUser(database.kysely, caller.tenantId, caller.objectId) : undefined;
    if (user === undefined) {
      throw directoryErrors.Request_BadRequest("/me request is only valid with delegated authentication flow.");
    }
    return context.json(renderUser(user));
  });

  app.get("/me/ownedObjects", async (context) => {
    const caller = context.get("caller");
    if (caller.type !== "User") {
      throw directoryErrors.Request_BadRequest("/me request is only valid with delegated authentication flow.");
    }
    const owned = await findPrincipals(database.kysely, await ownedBy(database.kysely, caller.objectId));
    return context.json({ value: owned.map(renderStub) });
  });

  app.get("/users", async (context) => {
    const matches = parseGraphFilter<User>(context.req.query("$filter"), readField);
    const found = (await listUsers(database.kysely, context.get("caller").tenantId)).filter(matches);
    return page(service, context, found, renderUser);
  });

  app.post("/users", async (context) => {
    const body = await readBody(context, createBody);
    const passwordHash = await hasher.hash(body.passwordProfile.password);
    const user = await change(service, context, (trx) =>
      createUser(trx, {
        tenantId: context.get("caller").tenantId,
        userPrincipalName: body.userPrincipalName,
        displayName: body.displayName,
        mailNickname: body.mailNickname ?? body.userPrincipalName.slice(0, body.userPrincipalName.indexOf("@")),
        passwordHash,
        enabled: body.accountEnabled ?? true,
        mustChangePassword: body.passwordProfile.forceChangePasswordNextSignIn === true,
      }),
    );
    return context.json(renderUser(user), 201);
  });

  app.get("/users/:id", async (context) => context.json(renderUser(await find(database.kysely, context))));

  app.patch("/users/:id", async (context) => {
    const { passwordProfile: profile, accountEnabled, ...body } = await readBody(context, patchBody);
    const passwordHash = profile?.password === undefined ? undefined : await hasher.hash(profile.password);
    await change(service, context, async (trx) =>
      updateUser(trx, await find(trx, context), {
        ...defined(body),
        ...defined({
          enabled: accountEnabled,
          passwordHash,
          mustChangePassword:
            profile?.forceChangePasswordNextSignIn ?? (passwordHash === undefined ? undefined : false),
        }),
      }),
    );
    return context.body(null, 204);
  });

  app.delete("/users/:id", async (context) => {
    await change(service, context, async (trx) => deleteUser(trx, await find(trx, context)));
    return context.body(null, 204);
  });

  app.post("/users/:id/getMemberGroups", async (context) => {
    const { id } = await find(database.kysely, context);
    return context.json({ value: await groupsOf(database.kysely, id) });
  });
}

function defined<Values extends object>(values: Values): Partial<Values> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<Values>;
}

function readField(user: User, field: string): string | boolean | undefined {
  switch (field.toLowerCase()) {
    case "id":
      return user.id;
    case "userprincipalname":
      return user.userPrincipalName;
    case "displayname":
      return user.displayName;
    case "mailnickname":
      return user.mailNickname;
    case "accountenabled":
      return user.enabled;
    default:
      return undefined;
  }
}
