// Hosts as a person reads them.

import { z } from "zod";

const machineSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  nameOnHost: z.string(),
  present: z.boolean(),
  lastSeenAt: z.string(),
  powerState: z.string(),
  hasAgent: z.boolean(),
  disks: z.array(z.looseObject({ sizeBytes: z.number() })),
  problem: z.string().optional(),
});

export const hostSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  properties: z.looseObject({
    kind: z.string(),
    path: z.string().optional(),
    socketDirectory: z.string().optional(),
    uri: z.string().optional(),
    status: z.string().optional(),
    lastLookAt: z.string().optional(),
    problem: z.string().optional(),
    machines: z.array(machineSchema).optional(),
  }),
});

export type WireHost = z.output<typeof hostSchema>;

export function hostsTable(hosts: readonly WireHost[]): string {
  return table(
    ["Name", "ResourceGroup", "Kind", "Place", "Status", "LastLook"],
    hosts.map((host) => [
      host.name,
      groupOf(host),
      host.properties.kind,
      placeOf(host),
      host.properties.status ?? "",
      host.properties.lastLookAt ?? "",
    ]),
  );
}

/** The host, what is wrong with it, its machines. */
export function hostText(host: WireHost): string {
  const { machines, problem } = host.properties;
  const lines = [hostsTable([host])];
  if (problem !== undefined) lines.push(`\n${plain(problem)}\n`);
  if (machines !== undefined) {
    lines.push(
      "\n",
      table(
        ["Machine", "OnHost", "Power", "Agent", "Disks", "GiB", "LastSeen"],
        machines.map((machine) => [
          machine.name,
          machine.nameOnHost,
          machine.present ? machine.powerState : "gone",
          machine.hasAgent ? "yes" : "no",
          String(machine.disks.length),
          (machine.disks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / 1024 ** 3).toFixed(1),
          machine.lastSeenAt,
        ]),
      ),
      ...machines.flatMap(({ name, problem: why }) => (why === undefined ? [] : [`\n${name}: ${plain(why)}\n`])),
    );
  }
  return lines.join("");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map(plain));
  const widths = head.map((_, column) => cells.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return `${[lines[0], widths.map((width) => "-".repeat(width)).join("  "), ...lines.slice(1)].join("\n")}\n`;
}

function groupOf({ id }: WireHost): string {
  return /\/resourceGroups\/([^/]+)\//i.exec(id)?.[1] ?? "";
}

function placeOf({ properties }: WireHost): string {
  return properties.path ?? properties.socketDirectory ?? properties.uri ?? "";
}

/** Names come from hosts: a control character in one must not reach the terminal. */
function plain(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, " ");
}
