// Azure's codes of the extension, with what to do about each. The first failure of a task is its code.

import { defineErrors } from "../../lib/errors.ts";

export interface ExtensionCode {
  readonly number: number;
  /** What users look up, such as "Pre-ScriptExecutionFailed". */
  readonly title: string;
  readonly remedy: string;
}

const table = {
  FailedPrepostPreScriptFailed: {
    number: 300,
    title: "Pre-ScriptExecutionFailed",
    remedy: "Run the pre-script by hand as root in the guest and mend what it says; it must end with 0.",
  },
  FailedPrepostPostScriptFailed: {
    number: 301,
    title: "Post-ScriptExecutionFailed",
    remedy: "Run the post-script by hand as root in the guest and mend what it says; it must end with 0.",
  },
  FailedPrepostPreScriptNotFound: {
    number: 302,
    title: "Pre-ScriptNotFound",
    remedy: "Correct preScriptLocation in /etc/azure/VMSnapshotScriptPluginConfig.json.",
  },
  FailedPrepostPostScriptNotFound: {
    number: 303,
    title: "Post-ScriptNotFound",
    remedy: "Correct postScriptLocation in /etc/azure/VMSnapshotScriptPluginConfig.json.",
  },
  FailedPrepostPluginhostConfigParsing: {
    number: 304,
    title: "IncorrectPluginhostFile",
    remedy: "Mend or remove /etc/azure/VMSnapshotPluginHost.conf; without it the defaults hold.",
  },
  FailedPrepostPluginConfigParsing: {
    number: 305,
    title: "IncorrectJSONConfigFile",
    remedy: "Mend /etc/azure/VMSnapshotScriptPluginConfig.json, or remove it to back up without scripts.",
  },
  FailedPrepostPreScriptPermissionError: {
    number: 306,
    title: "InsufficientPermissionforPre-Script",
    remedy: "Give the pre-script to root with mode 700, in folders that only root can change.",
  },
  FailedPrepostPostScriptPermissionError: {
    number: 307,
    title: "InsufficientPermissionforPost-Script",
    remedy: "Give the post-script to root with mode 700, in folders that only root can change.",
  },
  FailedPrepostPreScriptTimeout: {
    number: 308,
    title: "Pre-ScriptTimeout",
    remedy: "Make the pre-script faster or timeoutInSeconds larger (at most 1800).",
  },
  FailedPrepostPostScriptTimeout: {
    number: 309,
    title: "Post-ScriptTimeout",
    remedy: "Make the post-script faster or timeoutInSeconds larger (at most 1800).",
  },
  FailedPrepostPluginhostPreTimeout: {
    number: 310,
    title: "Pre-ScriptTimeout",
    remedy: "Look at /var/log/azure in the guest: the extension did not say how the pre-script ended.",
  },
  FailedPrepostPluginhostPostTimeout: {
    number: 311,
    title: "Post-ScriptTimeout",
    remedy: "Look at /var/log/azure in the guest: the post-script was not awaited to its end.",
  },
  FailedPrepostCheckSumMismatch: {
    number: 312,
    title: "CheckSumMismatch",
    remedy: "Look who changes the extension's files in the guest; they are put in place anew at the next backup.",
  },
  FailedPrepostPluginhostConfigPermissionError: {
    number: 314,
    title: "IncorrectPluginhostFile",
    remedy: "Let nobody but root write /etc/azure/VMSnapshotPluginHost.conf (mode 644 or less).",
  },
  FailedPrepostPluginhostConfigOwnershipError: {
    number: 315,
    title: "IncorrectPluginhostFile",
    remedy: "Give /etc/azure/VMSnapshotPluginHost.conf to root.",
  },
  FailedPrepostPluginConfigNotFound: {
    number: 316,
    title: "IncorrectJSONConfigFile",
    remedy: "Correct pluginConfigPath0 in /etc/azure/VMSnapshotPluginHost.conf.",
  },
  FailedPrepostPluginConfigPermissionError: {
    number: 317,
    title: "IncorrectJSONConfigFile",
    remedy: "Give /etc/azure/VMSnapshotScriptPluginConfig.json the mode 600, in folders that only root can change.",
  },
  FailedPrepostPluginConfigOwnershipError: {
    number: 318,
    title: "IncorrectJSONConfigFile",
    remedy: "Give /etc/azure/VMSnapshotScriptPluginConfig.json to root.",
  },
  FailedGuestAgentInvokedCommandTooLate: {
    number: 402,
    title: "GuestAgentInvokedCommandTooLate",
    remedy: "Make the scripts faster: a snapshot must begin at most 140 minutes after its backup.",
  },
} as const satisfies Record<string, ExtensionCode>;

export type ExtensionCodeName = keyof typeof table;
export const extensionCodes: Readonly<Record<ExtensionCodeName, ExtensionCode>> = table;

/** A failure that the guest's scripts brought, as a backup reports it. */
export const extensionErrors = defineErrors(
  Object.fromEntries(Object.entries(table).map(([name, { remedy }]) => [name, { status: 409, remedy }])) as Record<
    ExtensionCodeName,
    { status: number; remedy: string }
  >,
);

/** Why the scripts brought no application to rest, or not all the time. */
export interface ScriptFailure {
  readonly code: ExtensionCodeName;
  readonly message: string;
}
