// A client proves itself with a certificate: a JWT that it signed a moment ago, about itself, for
// this token endpoint (RFC 7523). MSAL sends the same one again for some minutes, so its id is no
// reason to refuse it.

import { compactVerify, decodeProtectedHeader } from "jose";
import { z } from "zod";
import type { HoldfastError } from "../../lib/errors.ts";
import type { UsableCertificate } from "../directory/certificates.ts";
import { signInErrors } from "./errors.ts";

export interface AssertionDemands {
  readonly appId: string;
  readonly certificates: readonly UsableCertificate[];
  /** Origins under which a token endpoint of ours may be named. */
  readonly origins: readonly string[];
  /** Milliseconds. */
  readonly now: number;
}

export const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

const algorithms = ["RS256", "PS256"];
const longestAssertion = 16 * 1024;
const longestLife = 24 * 3600;
const tolerance = 300;

const claimsSchema = z.object({
  iss: z.string(),
  sub: z.string(),
  aud: z.string(),
  exp: z.number(),
  nbf: z.number().optional(),
});

/** Throws unless the assertion is the client's own, fresh, and meant for us. */
export async function verifyAssertion(assertion: string, demands: AssertionDemands): Promise<void> {
  const certificate = findCertificate(assertion, demands);
  const claims = await readClaims(assertion, certificate);
  if (claims.iss.toLowerCase() !== demands.appId || claims.sub.toLowerCase() !== demands.appId) {
    throw failed("its 'iss' and 'sub' are not the client id");
  }
  if (!demands.origins.some((origin) => claims.aud === origin || claims.aud.startsWith(`${origin}/`))) {
    throw signInErrors.AADSTS700023(
      `Client assertion audience claim '${claims.aud.slice(0, 200)}' does not match this token endpoint.`,
    );
  }
  const now = demands.now / 1000;
  const inTime =
    claims.exp > now && claims.exp <= now + longestLife + tolerance && (claims.nbf ?? 0) <= now + tolerance;
  if (!inTime) throw signInErrors.AADSTS700024("Client assertion is not within its valid time range.");
  if (certificate.startsAt > demands.now || certificate.endsAt <= demands.now) {
    throw signInErrors.AADSTS7000222(`The certificate of app '${demands.appId}' is expired or not valid yet.`);
  }
}

function findCertificate(assertion: string, { certificates }: AssertionDemands): UsableCertificate {
  if (assertion.length > longestAssertion) throw failed("it is too long");
  let header: ReturnType<typeof decodeProtectedHeader>;
  try {
    header = decodeProtectedHeader(assertion);
  } catch (error) {
    throw failed("it is not a JSON Web Token", error);
  }
  if (!algorithms.includes(header.alg ?? "")) throw failed(`it is signed with '${header.alg}', not RS256 or PS256`);
  const named = [header["x5t#S256"], header.x5t, header.kid].map(withoutPadding);
  const found = certificates.find(({ sha1, sha256 }) => named.includes(sha256) || named.includes(sha1));
  if (found === undefined) throw failed("the certificate that it names is not one of the app's");
  return found;
}

/** MSAL for Python leaves the padding on. */
function withoutPadding(text: unknown): string | undefined {
  return typeof text === "string" ? text.replace(/=+$/, "") : undefined;
}

async function readClaims(assertion: string, { publicKey }: UsableCertificate): Promise<z.output<typeof claimsSchema>> {
  try {
    const { payload } = await compactVerify(assertion, publicKey, { algorithms });
    return claimsSchema.parse(JSON.parse(Buffer.from(payload).toString("utf8")));
  } catch (error) {
    throw failed("its signature does not fit, or claims are missing", error);
  }
}

function failed(why: string, cause?: unknown): HoldfastError {
  return signInErrors.AADSTS700027(
    `The certificate with identifier used to sign the client assertion is not registered on application, or the assertion is not valid: ${why}.`,
    { cause },
  );
}
