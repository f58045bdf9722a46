// addPassword and removePassword, alike for applications and service principals.

import { z } from "zod";
import type { Reading } from "../database.ts";
import { addClientSecret, prepareSecret, removeClientSecret } from "../directory/client-secrets.ts";
import { directoryErrors } from "../errors.ts";
import { change, readBody, type GraphContext, type GraphService } from "./exchange.ts";
import type { GraphApp } from "./routes.ts";
import { renderSecret } from "./shapes.ts";

interface SecretOwner {
  readonly id: string;
  readonly appId: string;
}

const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));

const addBody = z.object({
  passwordCredential: z
    .object({ displayName: z.string().max(120).nullish(), startDateTime: time.nullish(), endDateTime: time.nullish() })
    .nullish(),
});
const removeBody = z.object({ keyId: z.guid() });

export function secretRoutes(
  app: GraphApp,
  service: GraphService,
  path: string,
  find: (reading: Reading, context: GraphContext) => Promise<SecretOwner>,
): void {
  const { database, hasher } = service;

  app.post(`${path}/addPassword`, async (context) => {
    const { passwordCredential: terms } = await readBody(context, addBody);
    const startsAt = terms?.startDateTime ?? undefined;
    const endsAt = terms?.endDateTime ?? undefined;
    if (endsAt !== undefined && endsAt <= (startsAt ?? database.clock.now())) {
      throw directoryErrors.Request_BadRequest("The property 'endDateTime' must be after 'startDateTime'.", {
        target: "endDateTime",
      });
    }
    const secret = await prepareSecret(hasher);
    const added = await change(service, context, async (trx) => {
      const owner = await find(trx, context);
      const whose = { ownerId: owner.id, appId: owner.appId, displayName: terms?.displayName ?? null };
      return addClientSecret(trx, { ...whose, startsAt, endsAt }, secret);
    });
    return context.json(renderSecret(added, secret.text));
  });

  app.post(`${path}/removePassword`, async (context) => {
    const { keyId } = await readBody(context, removeBody);
    await change(service, context, async (trx) => {
      if (await removeClientSecret(trx, (await find(trx, context)).id, keyId)) return;
      throw directoryErrors.Request_BadRequest(`No password credential found with keyId '${keyId}'.`, {
        target: "keyId",
      });
    });
    return context.body(null, 204);
  });
}
