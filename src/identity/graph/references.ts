// `{"@odata.id": "https://host/v1.0/directoryObjects/<id>"}`: how one object is put into another.

import type { Context } from "hono";
import { z } from "zod";
import { directoryErrors } from "../errors.ts";
import { readBody } from "./exchange.ts";

const referenceBody = z.object({ "@odata.id": z.string().max(2000) });

export async function readReference(context: Context): Promise<string> {
  const reference = (await readBody(context, referenceBody))["@odata.id"];
  const id = /\/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\/?$/.exec(reference)?.[1];
  if (id === undefined) {
    throw directoryErrors.Request_BadRequest(
      `Invalid URL format specified in @odata.id: '${reference.slice(0, 200)}'. Write https://…/v1.0/directoryObjects/{id}.`,
      { target: "@odata.id" },
    );
  }
  return id.toLowerCase();
}
