// Templates from other places. The address is checked at the moment of connecting, so a name that
// resolves to one address now and to another later gains nothing; redirects are not followed.

import { get as getPlain } from "node:http";
import { get as getSecure, type RequestOptions } from "node:https";
import { isIP } from "node:net";
import { templateLimits } from "../../../arm/template/limits.ts";
import { templateErrors } from "../../../arm/template/template-errors.ts";
import { guardedLookup, isForbiddenAddress, plainHost } from "../../../lib/network-guard.ts";

const timeoutMilliseconds = 30_000;

export type LoadTemplate = (uri: string, signal: AbortSignal) => Promise<string>;

/** Templates that this service keeps itself, such as those that restores leave; undefined for all others. */
export type ReadOwnTemplate = (url: URL, limitBytes: number, signal: AbortSignal) => Promise<Buffer | undefined>;

export function templateLoader(allowLocalAddresses: boolean, readOwn?: ReadOwnTemplate): LoadTemplate {
  return async (uri, signal) => {
    const url = URL.parse(uri);
    if (url === null || !["http:", "https:"].includes(url.protocol)) {
      throw templateErrors.InvalidContentLink(
        `Unable to download the template from '${uri.slice(0, 300)}': the address must begin with https:// or http://.`,
      );
    }
    const own = await readOwn?.(url, templateLimits.templateCharacters, signal).catch((cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw templateErrors.InvalidContentLink(`Unable to download the template: ${why}`, { cause });
    });
    if (own !== undefined) return own.toString("utf8");
    const host = plainHost(url);
    if (!allowLocalAddresses && isIP(host) !== 0 && isForbiddenAddress(host)) throw notAllowed(url);
    return download(url, allowLocalAddresses, signal);
  };
}

function notAllowed(url: URL): Error {
  return templateErrors.InvalidContentLink(
    `Unable to download the template from '${url.origin}${url.pathname}': addresses of this machine and of the local link are not allowed.`,
  );
}

function download(url: URL, allowLocalAddresses: boolean, signal: AbortSignal): Promise<string> {
  const isForbidden = (address: string): boolean => !allowLocalAddresses && isForbiddenAddress(address);
  const lookup = guardedLookup(isForbidden, () => notAllowed(url));
  const options: RequestOptions = {
    lookup,
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMilliseconds)]),
    agent: false,
  };
  return new Promise((resolve, reject) => {
    const fail = (reason: string, cause?: unknown): void =>
      reject(
        templateErrors.InvalidContentLink(
          `Unable to download the template from '${url.origin}${url.pathname}': ${reason}.`,
          { cause },
        ),
      );
    const request = (url.protocol === "https:" ? getSecure : getPlain)(url, options, (response) => {
      if (response.statusCode !== 200) {
        response.destroy();
        fail(`the server answered with status ${response.statusCode ?? 0}`);
        return;
      }
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > templateLimits.templateCharacters) {
          response.destroy();
          fail(`it is larger than ${templateLimits.templateCharacters} bytes`);
        } else chunks.push(chunk);
      });
      response.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
      response.on("error", (cause) => fail(cause.message, cause));
    });
    request.on("error", (cause) => fail(cause.message, cause));
  });
}
