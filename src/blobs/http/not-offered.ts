// What a request may ask for in passing and does not get here. It is refused: a client that asked for a key
// of its own or for a condition, and is told "done", would rely on what is not there.

import { blobErrors } from "../errors.ts";

const headers: Readonly<Record<string, string>> = {
  "x-ms-tags": "tags of blobs",
  "x-ms-if-tags": "conditions on tags",
  "x-ms-source-if-tags": "conditions on tags",
  "x-ms-encryption-key": "keys that come with a request",
  "x-ms-encryption-scope": "encryption scopes",
  "x-ms-default-encryption-scope": "encryption scopes",
  "x-ms-source-encryption-key": "keys that come with a request",
  "x-ms-immutability-policy-until-date": "immutable blobs",
  "x-ms-legal-hold": "legal holds",
};
const parameters: Readonly<Record<string, string>> = { versionid: "versions of blobs" };

export function refuseNotOffered(
  header: (name: string) => string | undefined,
  query: (name: string) => string | undefined,
): void {
  const asked = (read: typeof header, what: typeof headers): [string, string] | undefined =>
    Object.entries(what).find(([name]) => {
      const value = read(name) ?? "";
      return value !== "" && value.toLowerCase() !== "false";
    });
  const found = asked(header, headers) ?? asked(query, parameters);
  if (found === undefined) return;
  const [name, what] = found;
  throw blobErrors.FeatureNotSupported(`'${name}' is set, but ${what} are not offered. Leave it out.`);
}
