// Templates from other places. The address is checked at the moment of connecting, so a name that
// resolves to one address now and to another later gains nothing; redirects are not followed.

import { lookup as resolveName, type LookupAddress } from "node:dns";
import { get as getPlain } from "node:http";
import { get as getSecure, type RequestOptions } from "node:https";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { templateLimits } from "../../../arm/template/limits.ts";
import { templateErrors } from "../../../arm/template/template-errors.ts";

const timeoutMilliseconds = 30_000;

/** This machine, the local link (cloud metadata services live there), and nothing at all. */
const forbidden = new BlockList();
for (const [address, prefix] of [
  ["0.0.0.0", 8],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["224.0.0.0", 4],
] as const) {
  forbidden.addSubnet(address, prefix, "ipv4");
}
for (const [address, prefix] of [
  ["::", 127],
  ["fe80::", 10],
  ["ff00::", 8],
] as const)
  forbidden.addSubnet(address, prefix, "ipv6");

export function isForbiddenAddress(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return isForbiddenAddress(mapped);
  return forbidden.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}

export type LoadTemplate = (uri: string, signal: AbortSignal) => Promise<string>;

export function templateLoader(allowLocalAddresses: boolean): LoadTemplate {
  return (uri, signal) => {
    const url = URL.parse(uri);
    if (url === null || !["http:", "https:"].includes(url.protocol)) {
      throw templateErrors.InvalidContentLink(
        `Unable to download the template from '${uri.slice(0, 300)}': the address must begin with https:// or http://.`,
      );
    }
    const host = url.hostname.replace(/^\[|\]$/g, "");
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
  const lookup: LookupFunction = (host, options, done) => {
    resolveName(host, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      const allowed = (addresses ?? []).filter(({ address }) => allowLocalAddresses || !isForbiddenAddress(address));
      const [first] = allowed;
      if (error !== null) done(error, "", 0);
      else if (first === undefined) done(notAllowed(url), "", 0);
      else if (options.all === true) done(null, allowed);
      else done(null, first.address, first.family);
    });
  };
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
