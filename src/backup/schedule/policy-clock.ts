// The local time that a policy's runs and days are counted in. Azure keeps the zone's standard offset
// all year ("no DST shift"): every day has 24 hours and exactly one 02:30. A policy may ask for the wall
// clock instead (`followDaylightSaving`): then a run that falls into the hour that is left out in spring
// starts at its end, and one that falls into the hour that comes twice in autumn runs the first time.

import { Temporal } from "temporal-polyfill";
import type { Policy } from "../policy/policy.ts";
import { windowsZones } from "./windows-zones.ts";

export interface LocalTime {
  /** Days since 1970-01-01 on the local calendar. */
  readonly day: number;
  /** Minutes since local midnight; with a fraction. */
  readonly minute: number;
}

export interface PolicyClock {
  localOf(instant: number): LocalTime;
  instantOf(day: number, minute: number): number;
}

const dayMilliseconds = 86_400_000;
const minuteMilliseconds = 60_000;

const clocks = new Map<string, PolicyClock>();

export function clockOf(policy: Policy): PolicyClock {
  const followDaylightSaving = policy.management === "AzureIaasVM" && policy.extras.followDaylightSaving;
  return zoneClock(policy.timeZone, followDaylightSaving);
}

/** Throws on a name that is in no table: policies are checked before they are kept. */
export function zoneClock(windowsName: string, followDaylightSaving: boolean): PolicyClock {
  const key = `${windowsName}/${followDaylightSaving}`;
  const known = clocks.get(key);
  if (known !== undefined) return known;
  const zone = windowsZones[windowsName];
  if (zone === undefined) throw new Error(`${windowsName} is no Windows time zone name`);
  const clock = followDaylightSaving ? wallClock(zone) : standardClock(zone);
  clocks.set(key, clock);
  return clock;
}

function standardClock(zone: string): PolicyClock {
  const offsets = new Map<number, number>();
  const offsetOf = (year: number): number => {
    const known = offsets.get(year);
    if (known !== undefined) return known;
    const at = (month: number): number =>
      Temporal.ZonedDateTime.from({ timeZone: zone, year, month, day: 1 }).offsetNanoseconds / 1_000_000;
    // Where clocks change, standard time is the smaller offset, on either half of the earth.
    const offset = Math.min(at(1), at(7));
    offsets.set(year, offset);
    return offset;
  };
  return {
    localOf: (instant) => {
      const guess = offsetOf(yearOf(instant));
      const local = instant + offsetOf(yearOf(instant + guess));
      return split(local);
    },
    instantOf: (day, minute) => {
      const local = day * dayMilliseconds + minute * minuteMilliseconds;
      return local - offsetOf(yearOf(local));
    },
  };
}

function wallClock(zone: string): PolicyClock {
  return {
    localOf: (instant) => {
      const zoned = Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(zone);
      return split(instant + zoned.offsetNanoseconds / 1_000_000);
    },
    instantOf: (day, minute) => {
      const local = Temporal.Instant.fromEpochMilliseconds(day * dayMilliseconds + minute * minuteMilliseconds);
      const wall = local.toZonedDateTimeISO("UTC").toPlainDateTime();
      const first = wall.toZonedDateTime(zone, { disambiguation: "earlier" });
      if (first.toPlainDateTime().equals(wall)) return first.epochMilliseconds;
      // The wall clock never shows this time: the run starts when the gap is over.
      return first.getTimeZoneTransition("next")?.epochMilliseconds ?? first.epochMilliseconds;
    },
  };
}

function split(local: number): LocalTime {
  const day = Math.floor(local / dayMilliseconds);
  return { day, minute: (local - day * dayMilliseconds) / minuteMilliseconds };
}

function yearOf(milliseconds: number): number {
  return new Date(milliseconds).getUTCFullYear();
}
