// `./holdfast up`: runs the service in the foreground until SIGINT or SIGTERM.

import { Option, type Command } from "commander";
import { dataFolder } from "../server/data-folder.ts";
import type { Demo } from "./demo/demo.ts";
import type { Service } from "../server/service.ts";
import type { SettingsFlags } from "../server/settings.ts";

interface UpOptions extends SettingsFlags {
  readonly json?: boolean;
  readonly demo?: boolean;
}

const demoFolder = "./.holdfast-demo";

/** After this the process ends, whatever still hangs. */
const lastResortMilliseconds = 9000;

export function addUpCommand(program: Command): void {
  program
    .command("up")
    .description("start the service; it runs in the foreground until it is interrupted")
    .option("--data <dir>", "data folder (default: ./.holdfast; HOLDFAST_DATA)")
    .option("--listen <host:port>", "where it listens (default: 127.0.0.1:8443)")
    .option("--config <file>", "configuration file: JSON with comments")
    .option("--database-url <url>", "keep the control data in PostgreSQL: postgresql://user:password@host/database")
    .addOption(
      new Option("--test-clock <file>", "run on real time plus the seconds that stand in this file").hideHelp(),
    )
    .option("--demo", "show what it does: back up a machine and restore it (data folder: ./.holdfast-demo)")
    .option("--json", "print one line of JSON when ready")
    .action(async (options: UpOptions) => {
      const { json, demo: wantsDemo, ...given } = options;
      const flags: { -readonly [name in keyof SettingsFlags]: SettingsFlags[name] } = given;
      // The demo's own folder, unless one is named.
      if (wantsDemo === true && process.env["HOLDFAST_DATA"] === undefined) flags.data ??= demoFolder;
      const [{ readSettings }, { startService }] = await Promise.all([
        import("../server/settings.ts"),
        import("../server/service.ts"),
      ]);
      // The story of the demo is not read between lines of a log.
      const environment = wantsDemo === true ? { HOLDFAST_LOG_LEVEL: "warn", ...process.env } : process.env;
      const settings = await readSettings(flags, environment);
      const stopped = waitForStop();
      const service = await startService(settings);
      const demo = wantsDemo === true ? await showDemo(settings.data, stopped) : undefined;
      announce(service, settings.data, json === true, demo);
      service.log.info({ signal: await stopped }, "ending");
      setTimeout(() => process.exit(1), lastResortMilliseconds).unref();
      await demo?.stop();
      await service.stop();
    });
}

/** Undefined when it was interrupted. */
async function showDemo(data: string, stopped: Promise<string>): Promise<Demo | undefined> {
  const { runDemo } = await import("./demo/demo.ts");
  return await Promise.race([runDemo(data), stopped.then(() => undefined)]);
}

function waitForStop(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve(signal));
  });
}

function announce({ running }: Service, data: string, json: boolean, demo: Demo | undefined): void {
  const { endpoint, ca, tenantId, subscriptionId, pid } = running;
  const adminFile = dataFolder(data).admin;
  if (json) {
    const line = { ready: true, endpoint, portal: `${endpoint}/`, data, ca, tenantId, subscriptionId, adminFile, pid };
    const shown = demo === undefined ? line : { ...line, demo: { ok: demo.ok, steps: demo.steps } };
    process.stdout.write(`${JSON.stringify(shown)}\n`);
    return;
  }
  const flag = process.env["HOLDFAST_DATA"] === undefined && data.endsWith("/.holdfast") ? "" : ` --data ${data}`;
  process.stdout.write(`Holdfast is ready.

  service  ${endpoint}   (user name, password and secret of its administrator: ${adminFile})
  az       eval "$(./holdfast az-env${flag})" && az group list
  token    ./holdfast token${flag}
  trust    ${ca}

It runs until you press Ctrl-C.
`);
}
