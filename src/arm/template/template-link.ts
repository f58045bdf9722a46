// Where a linked template or parameter file is.

import { type JsonObject, newObject } from "../relaxed-json/json.ts";
import { textMember } from "./template.ts";
import { templateErrors } from "./template-errors.ts";

/** The query is a secret: it opens the address, and that of everything that is named relative to it. */
export interface LinkedAddress {
  readonly uri: string;
  readonly query: string | undefined;
}

export function linkedAddress(link: JsonObject, parentLink: JsonObject | undefined): LinkedAddress {
  const uri = textMember(link, "uri");
  const query = textMember(link, "queryString");
  if (uri !== undefined) return { uri, query };
  const relative = textMember(link, "relativePath");
  const base = parentLink === undefined ? undefined : textMember(parentLink, "uri");
  if (relative !== undefined && base !== undefined && URL.canParse(relative, base)) {
    const inherited = parentLink === undefined ? undefined : textMember(parentLink, "queryString");
    return { uri: new URL(relative, base).href, query: query ?? inherited };
  }
  if (relative !== undefined) {
    throw templateErrors.InvalidContentLink(
      `The relativePath '${relative}' can't be resolved: the parent template was not loaded from a uri.`,
    );
  }
  throw templateErrors.InvalidContentLink(
    "A templateLink needs 'uri' or 'relativePath'. Template specs ('id') are not supported.",
  );
}

export function wholeAddress({ uri, query }: LinkedAddress): string {
  if (query === undefined) return uri;
  return `${uri}${uri.includes("?") ? "&" : "?"}${query.replace(/^\?/, "")}`;
}

/** What may be shown of a link. */
export function openLink(link: JsonObject): JsonObject {
  const open = newObject();
  for (const [name, value] of Object.entries(link)) if (name !== "queryString") open[name] = value;
  return open;
}
