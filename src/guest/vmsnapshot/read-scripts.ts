// Which scripts a guest wants around its snapshots. Root runs them, so whatever leads to them must be
// root's alone: a file that a user could change would be that user's way to root.

import type { FileLook, Handler } from "./handler.ts";
import { largestFile } from "./handler.ts";
import type { ExtensionCodeName, ScriptFailure } from "./codes.ts";
import {
  defaultPluginHost,
  hostConfigPath,
  parsePluginHost,
  parseScriptConfig,
  usualConfigPath,
  type PluginHostConfig,
  type ScriptConfig,
} from "./script-config.ts";

export type WantedScripts =
  | { readonly kind: "none" }
  | { readonly kind: "scripts"; readonly config: ScriptConfig }
  /** `config` is there when it could be read: it says whether a backup goes on without its scripts. */
  | { readonly kind: "failure"; readonly failure: ScriptFailure; readonly config: ScriptConfig | undefined };

class Refusal extends Error {
  readonly failure: ScriptFailure;

  constructor(code: ExtensionCodeName, message: string) {
    super(message);
    this.failure = { code, message };
  }
}

export async function readScripts(handler: Handler, signal?: AbortSignal): Promise<WantedScripts> {
  let config: ScriptConfig | undefined;
  try {
    const host = await readPluginHost(handler, signal);
    config = await readConfig(handler, host, signal);
    if (config === undefined) return { kind: "none" };
    await checkScript(handler, config.pre.path, "Pre", signal);
    await checkScript(handler, config.post.path, "Post", signal);
    return { kind: "scripts", config };
  } catch (error) {
    if (error instanceof Refusal) return { kind: "failure", failure: error.failure, config };
    throw error;
  }
}

async function readPluginHost(handler: Handler, signal: AbortSignal | undefined): Promise<PluginHostConfig> {
  const look = await handler.look(hostConfigPath, true, signal);
  if (look.state === "absent") return defaultPluginHost;
  const file = mustBeFile(look, hostConfigPath, "FailedPrepostPluginhostConfigPermissionError");
  if (file.owner !== 0) throw notRoots("FailedPrepostPluginhostConfigOwnershipError", hostConfigPath);
  if ((file.mode & 0o033) !== 0) throw tooOpen("FailedPrepostPluginhostConfigPermissionError", hostConfigPath, file);
  return parsed("FailedPrepostPluginhostConfigParsing", hostConfigPath, file, parsePluginHost);
}

async function readConfig(
  handler: Handler,
  host: PluginHostConfig,
  signal: AbortSignal | undefined,
): Promise<ScriptConfig | undefined> {
  const path = host.configPath;
  const look = await handler.look(path, true, signal);
  if (look.state === "absent") {
    if (path === usualConfigPath) return undefined;
    throw new Refusal("FailedPrepostPluginConfigNotFound", `There is no file ${path} in the guest.`);
  }
  const file = mustBeFile(look, path, "FailedPrepostPluginConfigPermissionError");
  if (file.owner !== 0) throw notRoots("FailedPrepostPluginConfigOwnershipError", path);
  if ((file.mode & 0o177) !== 0) throw tooOpen("FailedPrepostPluginConfigPermissionError", path, file);
  return parsed("FailedPrepostPluginConfigParsing", path, file, (text) => parseScriptConfig(text, host));
}

async function checkScript(
  handler: Handler,
  path: string,
  part: "Pre" | "Post",
  signal: AbortSignal | undefined,
): Promise<void> {
  const look = await handler.look(path, false, signal);
  if (look.state === "absent")
    throw new Refusal(
      `FailedPrepost${part}ScriptNotFound`,
      `There is no ${part.toLowerCase()}-script ${path} in the guest.`,
    );
  const code = `FailedPrepost${part}ScriptPermissionError` as const;
  const file = mustBeFile(look, path, code);
  if (file.owner !== 0) throw notRoots(code, path);
  if ((file.mode & 0o077) !== 0) throw tooOpen(code, path, file);
}

type PlainFile = Extract<FileLook, { state: "file" }>;

function mustBeFile(look: FileLook, path: string, code: ExtensionCodeName): PlainFile {
  switch (look.state) {
    case "file":
      return look;
    case "loose":
      throw new Refusal(
        code,
        `${path} in the guest lies in a folder that is a link or that others than root can change.`,
      );
    default:
      throw new Refusal(
        code,
        `${path} in the guest is ${look.state === "link" ? "a symbolic link" : "no plain file"}.`,
      );
  }
}

function notRoots(code: ExtensionCodeName, path: string): Refusal {
  return new Refusal(code, `${path} in the guest does not belong to root.`);
}

function tooOpen(code: ExtensionCodeName, path: string, { mode }: PlainFile): Refusal {
  return new Refusal(code, `${path} in the guest has the mode ${mode.toString(8)}, which lets others in.`);
}

function parsed<T>(code: ExtensionCodeName, path: string, file: PlainFile, parse: (text: string) => T): T {
  try {
    if (file.size > largestFile) throw new Error(`it is larger than ${largestFile} bytes`);
    return parse(file.content);
  } catch (error) {
    throw new Refusal(code, `${path} in the guest cannot be read: ${error instanceof Error ? error.message : error}.`);
  }
}
