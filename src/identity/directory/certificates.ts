// Certificates that a client proves itself with: public, so they stand among the properties of an
// application or service principal in Microsoft Graph's own form (`keyCredentials`).

import { X509Certificate, type KeyObject } from "node:crypto";
import { z } from "zod";
import { isoTime } from "../../lib/clock.ts";
import { directoryErrors } from "../errors.ts";

const storedSchema = z.array(
  z.object({
    keyId: z.string(),
    displayName: z.string().nullable(),
    startDateTime: z.string(),
    endDateTime: z.string(),
    /** DER in base64. */
    key: z.string(),
    /** SHA-1 of the certificate, upper-case hexadecimal: Azure's name for it. */
    customKeyIdentifier: z.string(),
    type: z.literal("AsymmetricX509Cert"),
    usage: z.literal("Verify"),
  }),
);
export type StoredCertificate = z.output<typeof storedSchema>[number];

/** As clients send it; `key` is missing in what they read before and send back. */
export const certificateBody = z.object({
  keyId: z.guid().optional(),
  displayName: z.string().max(120).nullish(),
  startDateTime: z.iso.datetime({ offset: true }).nullish(),
  endDateTime: z.iso.datetime({ offset: true }).nullish(),
  key: z.string().max(20_000).nullish(),
  type: z.literal("AsymmetricX509Cert", "must be AsymmetricX509Cert").optional(),
  usage: z.literal("Verify", "must be Verify").optional(),
});
export type CertificateBody = z.output<typeof certificateBody>;

export const mostCertificates = 20;

export interface UsableCertificate {
  readonly publicKey: KeyObject;
  /** base64url, as `x5t` and `x5t#S256` name it. */
  readonly sha1: string;
  readonly sha256: string;
  readonly startsAt: number;
  readonly endsAt: number;
}

export function certificatesOf(properties: Readonly<Record<string, unknown>>): StoredCertificate[] {
  return storedSchema.parse(properties["keyCredentials"] ?? []);
}

/** The certificates after a client wrote its list: new ones read, known ones kept by their key id. */
export function mergeCertificates(
  before: readonly StoredCertificate[],
  written: readonly CertificateBody[],
  newKeyId: () => string,
): StoredCertificate[] {
  return written.map((one) => {
    const known = before.find(({ keyId }) => keyId === one.keyId);
    if (known !== undefined) return known;
    const certificate = readCertificate(one.key ?? "");
    return {
      keyId: one.keyId ?? newKeyId(),
      displayName: one.displayName ?? null,
      startDateTime: one.startDateTime ?? isoTime(Date.parse(certificate.validFrom)),
      endDateTime: one.endDateTime ?? isoTime(Date.parse(certificate.validTo)),
      key: certificate.raw.toString("base64"),
      customKeyIdentifier: certificate.fingerprint.replaceAll(":", ""),
      type: "AsymmetricX509Cert",
      usage: "Verify",
    };
  });
}

export function usableCertificate(stored: StoredCertificate): UsableCertificate {
  const certificate = new X509Certificate(Buffer.from(stored.key, "base64"));
  const base64url = (fingerprint: string): string =>
    Buffer.from(fingerprint.replaceAll(":", ""), "hex").toString("base64url");
  return {
    publicKey: certificate.publicKey,
    sha1: base64url(certificate.fingerprint),
    sha256: base64url(certificate.fingerprint256),
    startsAt: Math.max(Date.parse(stored.startDateTime), Date.parse(certificate.validFrom)),
    endsAt: Math.min(Date.parse(stored.endDateTime), Date.parse(certificate.validTo)),
  };
}

/** az sends the lines of a PEM file without their frame. */
function readCertificate(text: string): X509Certificate {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(Buffer.from(text, "base64"));
  } catch (error) {
    throw invalid("it is not a certificate in base64", error);
  }
  const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey;
  if (asymmetricKeyType !== "rsa" || (asymmetricKeyDetails?.modulusLength ?? 0) < 2048) {
    throw invalid("only RSA keys of at least 2048 bits are possible");
  }
  return certificate;
}

function invalid(why: string, cause?: unknown): Error {
  return directoryErrors.Request_BadRequest(`Key credential has an invalid value for property 'key': ${why}.`, {
    target: "keyCredentials",
    cause,
  });
}
