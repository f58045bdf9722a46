// Parameters of a token request: a form of bounded size, each name once.

import { signInErrors } from "./errors.ts";

export const largestForm = 64 * 1024;

export function readForm(text: string, authorization: string | undefined): ReadonlyMap<string, string> {
  const form = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) {
    if (form.has(name)) {
      throw signInErrors.AADSTS9002313(
        `The request is malformed: the parameter '${name.slice(0, 50)}' is there twice.`,
      );
    }
    form.set(name, value);
  }
  addBasicCredentials(form, authorization);
  return form;
}

export function required(form: ReadonlyMap<string, string>, name: string): string {
  const value = form.get(name);
  if (value === undefined || value === "") {
    throw signInErrors.AADSTS900144(`The request body must contain the following parameter: '${name}'.`);
  }
  return value;
}

/** RFC 6749, section 2.3.1: the halves are form-encoded before they are joined. */
function addBasicCredentials(form: Map<string, string>, authorization: string | undefined): void {
  const encoded = /^basic +([A-Za-z0-9+/=]+) *$/i.exec(authorization ?? "")?.[1];
  if (encoded === undefined) return;
  const pair = Buffer.from(encoded, "base64").toString("utf8");
  const colon = pair.indexOf(":");
  if (colon === -1) return;
  const decode = (text: string): string => new URLSearchParams(`v=${text}`).get("v") ?? "";
  if (!form.has("client_id")) form.set("client_id", decode(pair.slice(0, colon)));
  if (!form.has("client_secret")) form.set("client_secret", decode(pair.slice(colon + 1)));
}
