// Addresses that users name and the service connects to. What would reach this machine or the local link
// (cloud metadata services live there) is refused at the moment of connecting, so a name that resolves to
// one address now and to another later gains nothing, and neither does a redirect.

import { lookup as resolveName, type LookupAddress } from "node:dns";
import { lookup as resolveNow } from "node:dns/promises";
import { Agent as HttpAgent, type AgentOptions } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { BlockList, isIP, type LookupFunction } from "node:net";

export type AddressTest = (address: string) => boolean;

const loopback = listOf([
  ["127.0.0.0", 8],
  ["::1", 128],
]);

/** The local link, metadata services that are elsewhere, groups, and nothing at all. */
const neverMeant = listOf([
  ["0.0.0.0", 8],
  ["169.254.0.0", 16],
  ["168.63.129.16", 32],
  ["224.0.0.0", 4],
  ["::", 128],
  ["fd00:ec2::254", 128],
  ["fe80::", 10],
  ["ff00::", 8],
]);

export function isForbiddenAddress(address: string, allowLoopback = false): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return isForbiddenAddress(mapped, allowLoopback);
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  return neverMeant.check(address, family) || (!allowLoopback && loopback.check(address, family));
}

/** The host of a URL without the brackets of an IPv6 address. */
export function plainHost(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}

/** Whether a connection to the host may succeed now: some address of it is not forbidden. */
export async function mayReach(host: string, isForbidden: AddressTest): Promise<boolean> {
  if (isIP(host) !== 0) return !isForbidden(host);
  const addresses = await resolveNow(host, { all: true }).catch(() => []);
  // A name that nobody knows is for the connection to tell of.
  return addresses.length === 0 || addresses.some(({ address }) => !isForbidden(address));
}

/** Names resolve to what is not forbidden. Addresses are not looked up: see `guardedAgents`. */
export function guardedLookup(isForbidden: AddressTest, refusal: (host: string) => Error): LookupFunction {
  return (host, options, done) => {
    resolveName(host, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      const allowed = (addresses ?? []).filter(({ address }) => !isForbidden(address));
      const [first] = allowed;
      if (error !== null) done(error, "", 0);
      else if (first === undefined) done(refusal(host), "", 0);
      else if (options.all === true) done(null, allowed);
      else done(null, first.address, first.family);
    });
  };
}

/** Agents for HTTP and HTTPS that connect to no forbidden address, whatever they are told to connect to. */
export function guardedAgents(
  isForbidden: AddressTest,
  refusal: (host: string) => Error,
  options: AgentOptions = { keepAlive: true },
): { readonly http: HttpAgent; readonly https: HttpsAgent } {
  const lookup = guardedLookup(isForbidden, refusal);
  const guard = <Agent extends HttpAgent>(agent: Agent): Agent => {
    const connect = agent.createConnection.bind(agent);
    agent.createConnection = (target, done) => {
      const host = String(target.host ?? "");
      if (isIP(host) === 0 || !isForbidden(host)) return connect({ ...target, lookup }, done);
      // The agent hands the failure to the request.
      done?.(refusal(host), undefined as never);
      return undefined;
    };
    return agent;
  };
  return { http: guard(new HttpAgent(options)), https: guard(new HttpsAgent(options)) };
}

function listOf(subnets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of subnets) list.addSubnet(address, prefix, isIP(address) === 6 ? "ipv6" : "ipv4");
  return list;
}
