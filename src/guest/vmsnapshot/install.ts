// Puts the extension into a guest, keeps it current there, and takes it away. Needs nothing in the
// guest but a shell and the basic commands, and of the agent nothing but running programs.

import type { AgentChannel } from "../agent.ts";
import { agentErrors } from "../errors.ts";
import { runInGuest, type GuestProgramResult } from "../programs.ts";
import { extensionName, extensionPackage, guestFolder } from "./package.ts";

export interface InstalledExtension {
  readonly version: string;
  readonly home: string;
  /** It was not there, or another version was. */
  readonly isNew: boolean;
  /** Its files had been changed in the guest, and were put in place anew. */
  readonly wasChanged: boolean;
}

const probe = `
  read -r version <"$1.current" && cd "$1-$version" && shift && echo "$version" &&
  cat "$@" | sha256sum
`;
const removal = `
  read -r version <"$1.current" || exit 0
  "$1-$version/handler" disable
  "$1-$version/handler" uninstall
  rm -rf "$1.current" "$1"-*
  rmdir "\${1%/*}" 2>/dev/null
  exit 0
`;
const base = `${guestFolder}/${extensionName}`;
/** Azure's limit for the installation of an extension. */
const installMilliseconds = 300_000;

export async function ensureExtension(agent: AgentChannel, signal?: AbortSignal): Promise<InstalledExtension> {
  const wanted = await extensionPackage();
  const { version, home } = wanted;
  const { stdout } = await shell(agent, probe, [base, ...wanted.paths], undefined, signal);
  const [there, digest] = stdout.split("\n");
  const isCurrent = there === version;
  const isWhole = digest?.startsWith(wanted.digest) === true;
  if (isCurrent && isWhole) return { version, home, isNew: false, wasChanged: false };
  const done = await shell(agent, wanted.unpack, [version], wanted.bundle, signal);
  if (done.exitCode !== 0) {
    throw agentErrors.ExtensionNotInstalled(
      `The extension could not be put into ${home} in the guest (exit code ${done.exitCode}): ${done.stderr.slice(-500).trim()}`,
    );
  }
  return { version, home, isNew: !isCurrent, wasChanged: isCurrent };
}

/** Leaves nothing but its logs. Scripts that wait for a snapshot are let go first. */
export async function removeExtension(agent: AgentChannel, signal?: AbortSignal): Promise<void> {
  const done = await shell(agent, removal, [base], undefined, signal);
  if (done.exitCode === 0) return;
  throw agentErrors.ExtensionNotRemoved(
    `The extension could not be taken out of the guest: ${done.stderr.slice(-500).trim()}`,
  );
}

function shell(
  agent: AgentChannel,
  script: string,
  args: readonly string[],
  input: string | undefined,
  signal: AbortSignal | undefined,
): Promise<GuestProgramResult> {
  const program = { path: "/bin/sh", args: ["-c", script, "holdfast", ...args] };
  return runInGuest(agent, { ...program, input, timeoutMilliseconds: installMilliseconds }, signal);
}
