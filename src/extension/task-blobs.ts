// The blobs by which whoever ordered a snapshot learns what came of it, where the extension's settings
// name them by URL: its status, and what was done as text. Nothing is sent to anybody else's server: a
// URL in the settings of a machine must not have us speak with whatever it names.

import { isoTime } from "../lib/clock.ts";
import { defineErrors } from "../lib/errors.ts";
import { statusBlob, type TaskReport } from "./status.ts";

const taskBlobErrors = defineErrors({
  TaskBlobElsewhere: {
    status: 400,
    remedy: "Give a SAS URL of a storage account of this service in statusBlobUri and logsBlobUri.",
  },
});

/** False when the URL is not of this service's blobs. */
export type WriteBlob = (url: URL, contentType: string, content: Uint8Array, signal: AbortSignal) => Promise<boolean>;

/** What is public counts before what is protected. */
export interface TaskBlobSettings {
  readonly publicSettings: Readonly<Record<string, unknown>> | undefined;
  readonly protectedSettings: Readonly<Record<string, unknown>> | undefined;
}

const writeMilliseconds = 10_000;

export async function writeTaskBlobs(write: WriteBlob, settings: TaskBlobSettings, report: TaskReport): Promise<void> {
  const contents = [
    { name: "statusBlobUri", type: "application/json", text: () => JSON.stringify(statusBlob(report)) },
    { name: "logsBlobUri", type: "text/plain; charset=utf-8", text: () => logOf(report) },
  ];
  for (const { name, type, text } of contents) {
    const said = settings.publicSettings?.[name] ?? settings.protectedSettings?.[name];
    if (typeof said !== "string" || said === "") continue;
    const url = URL.parse(said);
    const signal = AbortSignal.timeout(writeMilliseconds);
    // The address says who may write: it is told without its signature.
    if (url === null || !(await write(url, type, Buffer.from(text()), signal))) {
      throw taskBlobErrors.TaskBlobElsewhere(
        `'${name}' of the extension is no URL of this service: ${url === null ? "it is no URL" : `${url.origin}${url.pathname}`}.`,
      );
    }
  }
}

function logOf(report: TaskReport): string {
  const { taskId, version, startedAt, endedAt, level, code, message, telemetry } = report;
  const lines = [
    `${isoTime(startedAt)} VMSnapshotLinux ${version}: task ${taskId} begins`,
    ...Object.entries(telemetry).map(([name, value]) => `${isoTime(endedAt)} ${name}: ${value}`),
    `${isoTime(endedAt)} task ${taskId} ended with code ${code}, consistency ${level}: ${message}`,
  ];
  return `${lines.map((line) => line.replaceAll(/\s*\n\s*/g, " ")).join("\n")}\n`;
}
