// Every setting of the service, from four sources: defaults, the configuration file (JSON with
// comments), HOLDFAST_* variables, flags; the later wins. All of it is checked as a whole at start,
// and every mistake is listed, not only the first.

import { isAbsolute, resolve } from "node:path";
import { z } from "zod";
import { parseRelaxedJson } from "../arm/relaxed-json/parse.ts";
import { toPlain } from "../arm/relaxed-json/json.ts";
import { defineErrors, type HoldfastError } from "../lib/errors.ts";
import { disk } from "../lib/files.ts";

export const settingsErrors = defineErrors({
  ConfigurationInvalid: { status: 400 },
});

const guid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, "must be a GUID");

const listenPattern = /^(?:\[([0-9a-fA-F:]+)\]|([^:\s]+)):(\d{1,5})$/;

const settingsSchema = z.strictObject({
  data: z.string().min(1, "must name a folder").default(".holdfast"),
  listen: z
    .string()
    .regex(listenPattern, "must be HOST:PORT, for example 127.0.0.1:8443 or [::1]:8443")
    .refine((text) => Number(listenPattern.exec(text)?.[3] ?? 0) <= 65_535, "has a port above 65535")
    .default("127.0.0.1:8443"),
  databaseUrl: z
    .string()
    .regex(/^postgres(ql)?:\/\//, "must begin with postgresql://")
    .optional(),
  testClock: z.string().min(1, "must name a file").optional(),
  siteName: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,40}$/, "must be lower-case letters, digits and '-', beginning with a letter")
    .default("local"),
  logLevel: z.enum(["trace", "debug", "info", "warn", "error", "silent"]).default("info"),
  tls: z.strictObject({ certificate: z.string().min(1), key: z.string().min(1) }).optional(),
  /** More names that the own certificate covers. */
  hostNames: z.array(z.string().regex(/^[A-Za-z0-9.*-]{1,253}$/, "must be a host name")).default([]),
  /** Folders of this machine below which disks may be restored. */
  restoreFolders: z.array(z.string().refine(isAbsolute, "must be an absolute path")).max(100).default([]),
  /** Where stores of vaults may be, beyond the data folder and services elsewhere. */
  places: z
    .strictObject({
      folders: z.array(z.string().refine(isAbsolute, "must be an absolute path")).max(100).default([]),
      allowLoopback: z.boolean().default(false),
      useServerCredentials: z.boolean().default(false),
    })
    .prefault({}),
  /** Where scripts of file recovery reach the disks of recovery points; 0 takes a free port. */
  fileRecoveryPort: z.number().int().min(0).max(65_535).default(0),
  subscriptions: z
    .array(z.strictObject({ id: guid, name: z.string().min(1).max(64) }))
    .max(100)
    .default([]),
  tenantId: guid.optional(),
  limits: z
    .strictObject({
      requestsPerSecond: z.number().positive().default(5000),
      burst: z.number().int().min(10).default(20_000),
      bodyBytes: z.number().int().min(65_536).max(67_108_864).default(4_194_304),
      requestsAtOnce: z.number().int().min(8).default(512),
      operationsAtOnce: z.number().int().min(1).max(64).default(4),
      /** What queries of logs hold in memory at most; beyond it they spill to the disk. */
      logsMemoryMiB: z.number().int().min(256).default(1024),
    })
    .prefault({}),
});

export type Settings = z.output<typeof settingsSchema>;

/** What the flags of `up` may say; undefined = not given. */
export interface SettingsFlags {
  readonly data?: string;
  readonly listen?: string;
  readonly databaseUrl?: string;
  readonly testClock?: string;
  readonly config?: string;
}

/** HOLDFAST_LIMITS_BODY_BYTES sets limits.bodyBytes: the name is the path in capitals. */
const environmentNames: Readonly<Record<string, readonly string[]>> = {
  HOLDFAST_DATA: ["data"],
  HOLDFAST_LISTEN: ["listen"],
  HOLDFAST_DATABASE_URL: ["databaseUrl"],
  HOLDFAST_TEST_CLOCK: ["testClock"],
  HOLDFAST_SITE_NAME: ["siteName"],
  HOLDFAST_LOG_LEVEL: ["logLevel"],
  HOLDFAST_TENANT_ID: ["tenantId"],
  HOLDFAST_TLS_CERTIFICATE: ["tls", "certificate"],
  HOLDFAST_TLS_KEY: ["tls", "key"],
  HOLDFAST_HOST_NAMES: ["hostNames"],
  HOLDFAST_RESTORE_FOLDERS: ["restoreFolders"],
  HOLDFAST_FILE_RECOVERY_PORT: ["fileRecoveryPort"],
  HOLDFAST_PLACES_FOLDERS: ["places", "folders"],
  HOLDFAST_PLACES_ALLOW_LOOPBACK: ["places", "allowLoopback"],
  HOLDFAST_PLACES_USE_SERVER_CREDENTIALS: ["places", "useServerCredentials"],
  HOLDFAST_LIMITS_REQUESTS_PER_SECOND: ["limits", "requestsPerSecond"],
  HOLDFAST_LIMITS_BURST: ["limits", "burst"],
  HOLDFAST_LIMITS_BODY_BYTES: ["limits", "bodyBytes"],
  HOLDFAST_LIMITS_REQUESTS_AT_ONCE: ["limits", "requestsAtOnce"],
  HOLDFAST_LIMITS_OPERATIONS_AT_ONCE: ["limits", "operationsAtOnce"],
  HOLDFAST_LIMITS_LOGS_MEMORY_MIB: ["limits", "logsMemoryMiB"],
};

/** HOLDFAST_ variables that are no settings. */
const otherVariables = new Set([
  "HOLDFAST_ALLOW_TEST_CLOCK",
  "HOLDFAST_CONFIG",
  "HOLDFAST_DEBUG",
  "HOLDFAST_FAULTS",
  "HOLDFAST_TEST_LONG",
  "HOLDFAST_VOLUME_KEY",
]);

type Environment = Readonly<Record<string, string | undefined>>;

export async function readSettings(flags: SettingsFlags, environment: Environment): Promise<Settings> {
  const mistakes: HoldfastError[] = [];
  const given: Record<string, unknown> = {};
  const configFile = flags.config ?? environment["HOLDFAST_CONFIG"];
  if (configFile !== undefined) merge(given, await readFile(configFile, mistakes));
  merge(given, fromEnvironment(environment, mistakes));
  for (const name of ["data", "listen", "databaseUrl", "testClock"] as const) {
    if (flags[name] !== undefined) given[name] = flags[name];
  }
  const parsed = settingsSchema.safeParse(given);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const path = issue.path.map(String).join(".");
      const unknown = issue.code === "unrecognized_keys" ? issue.keys : [];
      const names = unknown.length > 0 ? unknown.map((key) => (path === "" ? key : `${path}.${key}`)) : [path];
      for (const name of names)
        mistakes.push(
          mistake(
            name,
            unknown.length > 0 ? "there is no such setting" : issue.message,
            lookUp(given, name.split(".")),
          ),
        );
    }
  } else if (parsed.data.testClock !== undefined && environment["HOLDFAST_ALLOW_TEST_CLOCK"] !== "1") {
    mistakes.push(
      mistake(
        "testClock",
        "is refused unless HOLDFAST_ALLOW_TEST_CLOCK=1 is set: it moves every schedule and retention",
        parsed.data.testClock,
      ),
    );
  }
  if (!parsed.success || mistakes.length > 0) {
    throw settingsErrors.ConfigurationInvalid(
      `The configuration has ${mistakes.length === 1 ? "a mistake" : `${mistakes.length} mistakes`}:`,
      { details: mistakes },
    );
  }
  return { ...parsed.data, data: resolve(parsed.data.data) };
}

export function listenAddress(settings: Settings): { host: string; port: number } {
  const match = listenPattern.exec(settings.listen);
  return { host: match?.[1] ?? match?.[2] ?? "127.0.0.1", port: Number(match?.[3] ?? 8443) };
}

function mistake(name: string, why: string, seen: unknown): HoldfastError {
  const isSecret = /url|key|secret|password/i.test(name);
  const shown = seen === undefined ? "" : isSecret ? " (value not shown)" : ` (is ${JSON.stringify(seen)})`;
  return settingsErrors.ConfigurationInvalid(`${name}: ${why}${shown}`, { target: name });
}

async function readFile(path: string, mistakes: HoldfastError[]): Promise<Record<string, unknown>> {
  const file = isAbsolute(path) ? path : resolve(path);
  try {
    const value = toPlain(parseRelaxedJson((await disk.read(file)).toString("utf8")).value);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
    mistakes.push(mistake("config", "must hold one JSON object", path));
  } catch (error) {
    mistakes.push(mistake("config", `cannot be read: ${error instanceof Error ? error.message : String(error)}`, path));
  }
  return {};
}

function fromEnvironment(environment: Environment, mistakes: HoldfastError[]): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith("HOLDFAST_") || text === undefined || otherVariables.has(name)) continue;
    const path = environmentNames[name];
    if (path === undefined) {
      mistakes.push(mistake(name, `is no setting; known are ${Object.keys(environmentNames).join(", ")}`, undefined));
      continue;
    }
    const isNumber = path[0] === "limits" || path[0] === "fileRecoveryPort";
    const isList = ["hostNames", "restoreFolders", "folders"].includes(path.at(-1) ?? "");
    const isFlag = path[0] === "places" && !isList && (text === "true" || text === "false");
    const asListed = isList ? text.split(",").map((each) => each.trim()) : text;
    const value = isNumber ? Number(text) : isFlag ? text === "true" : asListed;
    merge(given, path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Record<string, unknown>);
  }
  return given;
}

function merge(target: Record<string, unknown>, source: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(source)) {
    const known = target[name];
    const both = isRecord(known) && isRecord(value);
    if (both) merge(known, value);
    else target[name] = value;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function lookUp(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (isRecord(inner) ? inner[key] : undefined), value);
}
