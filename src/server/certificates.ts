// The local certificate authority and the listener's leaf, made at first start. The leaf is renewed
// when it nears its end or when the names that it must cover have changed; the authority stays, so
// clients that trust it go on working. Certificates live by the real clock, because clients do.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { systemClock } from "../lib/clock.ts";
import { defineErrors } from "../lib/errors.ts";
import { disk } from "../lib/files.ts";
import type { PemPair } from "./make-certificate.ts";

const certificateErrors = defineErrors({
  CertificateInvalid: { status: 500, remedy: "Give a PEM certificate chain and its private key." },
});

export interface ServerCertificate extends PemPair {
  /** What clients must trust. */
  readonly authorityFile: string;
}

const dayMilliseconds = 86_400_000;
const renewBeforeDays = 30;

export async function ensureCertificate(folder: string, extraNames: readonly string[]): Promise<ServerCertificate> {
  await disk.makeDirectory(folder);
  const authority =
    (await readPair(folder, "ca")) ??
    (await keepPair(folder, "ca", await (await import("./make-certificate.ts")).makeAuthority()));
  const names = [
    ...new Set(["localhost", "*.localhost", "*.blob.localhost", "*.vault.localhost", hostname(), ...extraNames]),
  ];
  const existing = await readPair(folder, "server");
  const leaf =
    existing !== undefined && isGood(existing.certificate, names, authority.certificate)
      ? existing
      : await keepPair(folder, "server", await (await import("./make-certificate.ts")).makeLeaf(authority, names));
  return { ...leaf, authorityFile: join(folder, "ca.pem") };
}

/** A certificate that the user brings; clients are told to trust the same file. */
export async function givenCertificate(certificateFile: string, keyFile: string): Promise<ServerCertificate> {
  try {
    const certificate = (await disk.read(certificateFile)).toString("utf8");
    const key = (await disk.read(keyFile)).toString("utf8");
    const leaf = new X509Certificate(certificate);
    if (!leaf.checkPrivateKey(createPrivateKey(key))) throw new Error("the key does not belong to the certificate");
    return { certificate, key, authorityFile: certificateFile };
  } catch (cause) {
    throw certificateErrors.CertificateInvalid(
      `The certificate ${certificateFile} or its key ${keyFile} cannot be used.`,
      {
        cause,
      },
    );
  }
}

function isGood(certificate: string, names: readonly string[], authority: string): boolean {
  const leaf = new X509Certificate(certificate);
  const covered = (leaf.subjectAltName ?? "").split(", ");
  return (
    Date.parse(leaf.validTo) - systemClock.now() > renewBeforeDays * dayMilliseconds &&
    leaf.checkIssued(new X509Certificate(authority)) &&
    names.every((name) => covered.includes(`DNS:${name}`))
  );
}

async function readPair(folder: string, name: string): Promise<PemPair | undefined> {
  const [certificate, key] = await Promise.all([
    readIfThere(join(folder, `${name}.pem`)),
    readIfThere(join(folder, `${name}.key`)),
  ]);
  return certificate === undefined || key === undefined ? undefined : { certificate, key };
}

/** The key first: a certificate without its key would be taken for a whole pair by nobody. */
async function keepPair(folder: string, name: string, pair: PemPair): Promise<PemPair> {
  await disk.writeDurably(join(folder, `${name}.key`), pair.key, 0o600);
  await disk.writeDurably(join(folder, `${name}.pem`), pair.certificate, 0o644);
  return pair;
}

async function readIfThere(path: string): Promise<string | undefined> {
  return (await disk.status(path)) === undefined ? undefined : (await disk.read(path)).toString("utf8");
}
