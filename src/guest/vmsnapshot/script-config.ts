// /etc/azure/VMSnapshotScriptPluginConfig.json and /etc/azure/VMSnapshotPluginHost.conf, as Azure
// defines them. They are read here, not in the guest: a shell has no parser of JSON, and what a guest
// says is judged once, by one schema.

import { z } from "zod";

export interface ScriptConfig {
  readonly pre: Script;
  readonly post: Script;
  readonly timeoutSeconds: number;
  /** Scripts that fail cost the level, not the backup. */
  readonly continueBackupOnFailure: boolean;
  readonly freezes: boolean;
  readonly appName: string;
}

export interface Script {
  readonly path: string;
  readonly args: readonly string[];
  readonly retries: number;
}

export interface PluginHostConfig {
  readonly timeoutSeconds: number;
  readonly configPath: string;
}

/** The longest that any script may take, whatever is configured. */
const longestSeconds = 1800;
/** As Azure has it where the file does not say. */
const usualSeconds = 10;
export const usualConfigPath = "/etc/azure/VMSnapshotScriptPluginConfig.json";
export const hostConfigPath = "/etc/azure/VMSnapshotPluginHost.conf";
export const defaultPluginHost: PluginHostConfig = { timeoutSeconds: longestSeconds, configPath: usualConfigPath };

// Each travels to the guest on a line of its own.
const line = z
  .string()
  .max(4096)
  .refine((text) => !/[\p{Cc}\u2028\u2029]/u.test(text), "must not hold control characters");
const path = line.startsWith("/", "must be an absolute path").refine((text) => !text.endsWith("/"), "must be a file");
const params = z.array(line).max(64).default([]);
const retries = z.coerce.number().int().min(0).max(100).default(0);
const flag = z
  .union([z.boolean(), z.string().regex(/^(true|false)$/i)])
  .transform((value) => value === true || String(value).toLowerCase() === "true")
  .default(true);

const schema = z.object({
  preScriptLocation: path,
  postScriptLocation: path,
  preScriptParams: params,
  postScriptParams: params,
  preScriptNoOfRetries: retries,
  postScriptNoOfRetries: retries,
  timeoutInSeconds: z.coerce.number().int().min(1).default(usualSeconds),
  continueBackupOnFailure: flag,
  fsFreezeEnabled: flag,
  appName: z.string().max(256).default(""),
});

/** A file without locations is the template that was never filled in: there are no scripts. */
const templateSchema = z.object({ preScriptLocation: z.literal(""), postScriptLocation: z.literal("") });

/** Undefined when it names no scripts; throws an Error that says what is wrong. */
export function parseScriptConfig(text: string, host: PluginHostConfig): ScriptConfig | undefined {
  const json: unknown = JSON.parse(text.replace(/^\uFEFF/, ""));
  if (templateSchema.safeParse(json).success) return undefined;
  const result = schema.safeParse(json);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new Error(`${issue?.path.join(".") || "the file"}: ${issue?.message}`);
  }
  const read = result.data;
  return {
    pre: { path: read.preScriptLocation, args: read.preScriptParams, retries: read.preScriptNoOfRetries },
    post: { path: read.postScriptLocation, args: read.postScriptParams, retries: read.postScriptNoOfRetries },
    timeoutSeconds: Math.min(read.timeoutInSeconds, host.timeoutSeconds),
    continueBackupOnFailure: read.continueBackupOnFailure,
    freezes: read.fsFreezeEnabled,
    appName: read.appName,
  };
}

/** The section `[pre_post]` of an INI file; throws an Error that says what is wrong. */
export function parsePluginHost(text: string): PluginHostConfig {
  let isOurs = false;
  const values = new Map<string, string>();
  for (const raw of text.split(/\r?\n/)) {
    const entry = raw.trim();
    if (entry === "" || /^[#;]/.test(entry)) continue;
    const section = /^\[([^\]]*)\]$/.exec(entry);
    if (section !== null) {
      isOurs = section[1] === "pre_post";
      continue;
    }
    const pair = /^([\w.]+)\s*[=:]\s*(.*)$/.exec(entry);
    if (pair === null) throw new Error(`"${entry.slice(0, 80)}" is neither a section nor KEY = VALUE`);
    if (isOurs) values.set((pair[1] ?? "").toLowerCase(), pair[2] ?? "");
  }
  const timeout = values.get("timeoutinseconds");
  const configPath = values.get("pluginconfigpath0");
  if (timeout !== undefined && !/^[1-9]\d{0,8}$/.test(timeout))
    throw new Error(`timeoutInSeconds is "${timeout.slice(0, 80)}"; it must be a number of seconds`);
  if (configPath !== undefined && !path.safeParse(configPath).success)
    throw new Error(`pluginConfigPath0 is "${configPath.slice(0, 80)}"; it must be the absolute path of a file`);
  return {
    timeoutSeconds: Math.min(Number(timeout ?? longestSeconds), longestSeconds),
    configPath: configPath ?? usualConfigPath,
  };
}
