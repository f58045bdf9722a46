// `./holdfast vault verify`: the running service looks at what a vault holds, and says which points it can
// restore.

import type { Command } from "commander";
import { z } from "zod";
import { defineErrors } from "../lib/errors.ts";
import { sleep } from "../lib/time.ts";
import { exitCodes } from "./exit-codes.ts";
import { one, pathOf, print, vaultVersion as version, type OneVault } from "./one-vault.ts";
import { connectService, type ServiceClient } from "./service-client.ts";

const errors = defineErrors({
  VerificationFailed: {
    status: 500,
    remedy: "az backup job show has the details; begin it again when that is mended.",
  },
});

interface VerifyOptions extends OneVault {
  readonly deep?: boolean;
  readonly item?: string;
}

const jobSchema = z.object({
  properties: z.object({
    status: z.string(),
    errorDetails: z.array(z.object({ errorString: z.string() })),
    extendedInfo: z.object({ progressPercentage: z.number(), propertyBag: z.record(z.string(), z.string()) }),
  }),
});
type VerifyJob = z.output<typeof jobSchema>["properties"];

const statesSchema = z.object({
  value: z.array(
    z.object({
      item: z.string(),
      point: z.string(),
      time: z.string(),
      state: z.enum(["Good", "Broken", "NotVerified"]),
      verifiedAt: z.string().nullable(),
      problems: z.array(z.string()),
    }),
  ),
  nextLink: z.string().optional(),
});
type PointState = z.output<typeof statesSchema>["value"][number];

export function addVaultVerifyCommand(vault: Command): void {
  one(vault.command("verify").description("look whether all that a vault holds can be restored"))
    .option("--deep", "open every byte that the points need; without it objects are compared with their names")
    .option("--item <name>", "only the points of this machine")
    .action(verify);
}

async function verify(options: VerifyOptions): Promise<void> {
  const client = await connectService(options.data);
  const below = `${pathOf(client, options)}/providers/Microsoft.Holdfast`;
  const asked = {
    mode: options.deep === true ? "deep" : "scrub",
    ...(options.item === undefined ? {} : { item: options.item }),
  };
  const begun = await client.armToEnd("POST", `${below}/verify?${version}`, asked);
  const { jobId } = z.object({ jobId: z.string() }).parse(begun);
  const job = await untilEnded(client, `${pathOf(client, options)}/backupJobs/${jobId}`, options);
  if (!job.status.startsWith("Completed")) {
    const reason = job.errorDetails[0]?.errorString ?? `it ended as ${job.status}`;
    throw errors.VerificationFailed(`The vault was not looked at whole: ${reason}.`);
  }
  const points = await statesOf(client, below, options.item);
  const damagedObjects = Number(job.extendedInfo.propertyBag["Damaged objects"] ?? 0);
  const broken = points.filter(({ state }) => state === "Broken").length;
  const found = [
    ...points.map(lineOf),
    ...job.errorDetails.map(({ errorString }) => errorString).filter((text) => text.startsWith("VaultObjectDamaged")),
    broken + damagedObjects === 0
      ? `Nothing is broken in ${options.name}: ${points.length} recovery points.`
      : `BROKEN: ${broken} of ${points.length} recovery points of ${options.name}, ${damagedObjects} damaged objects.`,
  ];
  print(options.json, { jobId, damagedObjects, points }, found.join("\n"));
  if (broken + damagedObjects > 0) process.exitCode = exitCodes.damaged;
}

const words = { Good: "good", Broken: "BROKEN", NotVerified: "not opened yet" } as const;

const lineOf = ({ item, point, time, state, problems }: PointState): string =>
  [item, point, time, words[state], ...problems.slice(0, 1)].join("  ");

const pollMilliseconds = 250;
const eraseLine = "\r\u001B[K";

async function untilEnded(client: ServiceClient, path: string, options: VerifyOptions): Promise<VerifyJob> {
  const isWatched = process.stderr.isTTY && options.json !== true;
  for (;;) {
    const { properties } = jobSchema.parse(await client.arm("GET", `${path}?${version}`));
    const isOver = !["InProgress", "Cancelling"].includes(properties.status);
    if (isWatched)
      process.stderr.write(isOver ? eraseLine : `${eraseLine}${properties.extendedInfo.progressPercentage} %`);
    if (isOver) return properties;
    await sleep(pollMilliseconds);
  }
}

async function statesOf(client: ServiceClient, below: string, item: string | undefined): Promise<PointState[]> {
  const filter = item === undefined ? "" : `&$filter=${encodeURIComponent(`item eq '${item.replaceAll("'", "''")}'`)}`;
  const points: PointState[] = [];
  let path: string | undefined = `${below}/pointStates?${version}&$top=1000${filter}`;
  while (path !== undefined) {
    const { value, nextLink } = statesSchema.parse(await client.arm("GET", path));
    points.push(...value);
    path = nextLink === undefined ? undefined : pathAndQuery(nextLink);
  }
  return points;
}

function pathAndQuery(url: string): string {
  const { pathname, search } = new URL(url);
  return `${pathname}${search}`;
}
