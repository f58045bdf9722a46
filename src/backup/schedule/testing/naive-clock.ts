// Local time the slow way, for oracles: asks Intl, knows nothing of policy-clock.ts.

import type { MachinePolicy } from "../../policy/policy.ts";
import { windowsZones } from "../windows-zones.ts";

const formats = new Map<string, Intl.DateTimeFormat>();

function wallOffset(zone: string, at: number): number {
  let format = formats.get(zone);
  if (format === undefined) {
    const fields = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" } as const;
    format = new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", ...fields });
    formats.set(zone, format);
  }
  const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const local = Date.UTC(parts["year"]!, parts["month"]! - 1, parts["day"], parts["hour"], parts["minute"]);
  return local - Math.floor(at / 60_000) * 60_000;
}

const offsets = new Map<string, number>();

/** Milliseconds to add to UTC. Offsets change on quarters of an hour only. */
export function naiveOffset(policy: MachinePolicy, at: number): number {
  const zone = windowsZones[policy.timeZone]!;
  const isWall = policy.extras.followDaylightSaving;
  const quarter = isWall ? Math.floor(at / 900_000) : new Date(at + 43_200_000).getUTCFullYear();
  const key = `${zone} ${isWall} ${quarter}`;
  let offset = offsets.get(key);
  if (offset === undefined) {
    offset = isWall
      ? wallOffset(zone, quarter * 900_000)
      : Math.min(wallOffset(zone, Date.UTC(quarter, 0, 1)), wallOffset(zone, Date.UTC(quarter, 6, 1)));
    offsets.set(key, offset);
  }
  return offset;
}

/** `2026-03-08` and minutes since midnight. */
export function naiveLocal(policy: MachinePolicy, at: number): { date: string; minute: number } {
  const local = new Date(at + naiveOffset(policy, at)).toISOString();
  return { date: local.slice(0, 10), minute: Number(local.slice(11, 13)) * 60 + Number(local.slice(14, 16)) };
}

/** Every run in [from, to), found by looking at each minute. */
export function naiveRuns(policy: MachinePolicy, from: number, to: number): number[] {
  const { schedule, extras } = policy;
  const time = schedule.kind === "hourly" ? schedule.start : schedule.times[0]!;
  const wanted = Number(time.slice(11, 13)) * 60 + Number(time.slice(14, 16));
  const firstLook = from - 40 * 3_600_000; // the day before must have begun
  const started = new Set<string>();
  const runs: number[] = [];
  let windowStart: number | undefined;
  for (let at = Math.ceil(firstLook / 60_000) * 60_000; at < to; at += 60_000) {
    const { date, minute } = naiveLocal(policy, at);
    // The first minute of a date that is not before the wanted one: the gap's end, or the first of two.
    const begins = minute >= wanted && !started.has(date);
    if (begins) started.add(date);
    // What is looked at first is perhaps in the middle of its day.
    const isSure = at > firstLook + 26 * 3_600_000;
    if (schedule.kind !== "hourly") {
      if (begins && isSure && at >= from && naiveDay(policy, date)) runs.push(at);
      continue;
    }
    if (begins) windowStart = at;
    if (windowStart === undefined || at < from) continue;
    const elapsed = (at - windowStart) / 60_000;
    const step = extras.intervalMinutes ?? schedule.everyHours * 60;
    if (elapsed % step === 0 && (schedule.windowHours === 24 || elapsed <= schedule.windowHours * 60)) runs.push(at);
  }
  return runs;
}

function naiveDay({ schedule }: MachinePolicy, date: string): boolean {
  if (schedule.kind !== "weekly") return true;
  const at = new Date(`${date}T00:00:00Z`);
  const name = at.toLocaleDateString("en-US", { weekday: "long", timeZone: "UTC" });
  if (!schedule.days.some((day) => day === name)) return false;
  const sundayOf = (day: Date): number => day.getTime() - day.getUTCDay() * 86_400_000;
  const anchor = new Date(`${schedule.times[0]!.slice(0, 10)}T00:00:00Z`);
  return Math.abs(sundayOf(at) - sundayOf(anchor)) % (schedule.everyWeeks * 604_800_000) === 0;
}
