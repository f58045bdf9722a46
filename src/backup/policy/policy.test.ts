import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HoldfastError } from "../../lib/errors.ts";
import { checkPolicy } from "./check-policy.ts";
import { parsePolicy } from "./parse-policy.ts";
import { renderPolicy } from "./render-policy.ts";
import { seededPolicies } from "./seeds.ts";
import { arbitraryPolicy } from "./testing/arbitrary-policy.ts";

test("what is parsed is rendered and parsed again without loss", () => {
  fc.assert(
    fc.property(arbitraryPolicy, (policy) => {
      // A weekly rule of fewer days than the snapshots live is refused; the others must pass.
      fc.pre(checkPolicy(policy).length === 0);
      assert.deepEqual(parsePolicy(JSON.parse(JSON.stringify(renderPolicy(policy)))), policy);
    }),
    { numRuns: 500, seed: 5 },
  );
});

test("the policies of a new vault are Azure's", () => {
  const { DefaultPolicy, EnhancedPolicy, HourlyLogBackup } = seededPolicies;
  assert.deepEqual(renderPolicy(DefaultPolicy!), {
    backupManagementType: "AzureIaasVM",
    policyType: "V1",
    instantRPDetails: {},
    schedulePolicy: {
      schedulePolicyType: "SimpleSchedulePolicy",
      scheduleRunFrequency: "Daily",
      scheduleRunTimes: ["2026-01-01T05:30:00Z"],
      scheduleWeeklyFrequency: 0,
    },
    retentionPolicy: {
      retentionPolicyType: "LongTermRetentionPolicy",
      dailySchedule: {
        retentionTimes: ["2026-01-01T05:30:00Z"],
        retentionDuration: { count: 30, durationType: "Days" },
      },
    },
    tieringPolicy: { ArchivedRP: { tieringMode: "DoNotTier", duration: 0, durationType: "Invalid" } },
    instantRpRetentionRangeInDays: 2,
    timeZone: "UTC",
  });
  assert.equal(renderPolicy(EnhancedPolicy!)["policyType"], "V2");
  assert.equal((renderPolicy(HourlyLogBackup!)["subProtectionPolicy"] as unknown[]).length, 2);
});

const good = renderPolicy(seededPolicies["DefaultPolicy"]!) as Record<string, Record<string, unknown>>;
const hourly = renderPolicy(seededPolicies["EnhancedPolicy"]!) as Record<string, Record<string, unknown>>;
const weekly = {
  ...good,
  schedulePolicy: {
    schedulePolicyType: "SimpleSchedulePolicy",
    scheduleRunFrequency: "Weekly",
    scheduleRunDays: ["Sunday"],
    scheduleRunTimes: ["2026-01-01T05:30:00Z"],
  },
  retentionPolicy: {
    retentionPolicyType: "LongTermRetentionPolicy",
    weeklySchedule: {
      daysOfTheWeek: ["Sunday"],
      retentionTimes: ["2026-01-01T05:30:00Z"],
      retentionDuration: { count: 4, durationType: "Weeks" },
    },
  },
  instantRpRetentionRangeInDays: 5,
};

function refused(properties: object): HoldfastError {
  try {
    parsePolicy(properties);
  } catch (error) {
    assert.ok(error instanceof HoldfastError);
    assert.equal(error.code, "BMSUserErrorInvalidPolicyInput");
    return error;
  }
  throw new Error("the policy was accepted");
}

/** A copy of a policy with one member changed: `retentionPolicy.dailySchedule.retentionDuration.count`. */
function withMember(properties: object, path: string, value: unknown): object {
  const copy = structuredClone(properties) as Record<string, unknown>;
  const names = path.split(".");
  let at = copy;
  for (const name of names.slice(0, -1)) at = (at[name] ??= {}) as Record<string, unknown>;
  at[names.at(-1)!] = value;
  return copy;
}

const month = (on: object): object => ({
  ...on,
  retentionTimes: ["2026-01-01T05:30:00Z"],
  retentionDuration: { count: 3, durationType: "Months" },
});

const wrong: readonly (readonly [what: string, base: object, path: string, value: unknown, field?: string])[] = [
  ["a time zone in IANA's spelling", good, "timeZone", "Europe/Berlin"],
  [
    "a time with seconds",
    good,
    "schedulePolicy.scheduleRunTimes",
    ["2026-01-01T05:30:24Z"],
    "schedulePolicy.scheduleRunTimes.0",
  ],
  ["no time", good, "schedulePolicy.scheduleRunTimes", []],
  ["two times a day", good, "schedulePolicy.scheduleRunTimes", ["2026-01-01T05:30:00Z", "2026-01-01T06:30:00Z"]],
  ["too few days", good, "retentionPolicy.dailySchedule.retentionDuration.count", 6],
  ["too many days", good, "retentionPolicy.dailySchedule.retentionDuration.count", 10_000],
  ["daily points counted in weeks", good, "retentionPolicy.dailySchedule.retentionDuration.durationType", "Weeks"],
  ["retention at another time", good, "retentionPolicy.dailySchedule.retentionTimes", ["2026-01-01T05:00:00Z"]],
  ["no daily retention", good, "retentionPolicy.dailySchedule", null],
  ["six snapshot days under V1", good, "instantRpRetentionRangeInDays", 6],
  ["a kind of consistency that V1 has not", good, "snapshotConsistencyType", "OnlyCrashConsistent"],
  ["an unknown kind of schedule", good, "schedulePolicy.schedulePolicyType", "Sometimes"],
  ["V2 with a schedule of V1", good, "policyType", "V2"],
  [
    "an archive that nothing reaches",
    good,
    "tieringPolicy.ArchivedRP",
    { tieringMode: "TierRecommended" },
    "tieringPolicy.ArchivedRP.tieringMode",
  ],
  [
    "day 31",
    good,
    "retentionPolicy.monthlySchedule",
    month({ retentionScheduleFormatType: "Daily", retentionScheduleDaily: { daysOfTheMonth: [{ date: 31 }] } }),
    "retentionPolicy.monthlySchedule.retentionScheduleDaily.daysOfTheMonth",
  ],
  [
    "weeks of a month without days",
    good,
    "retentionPolicy.monthlySchedule",
    month({ retentionScheduleFormatType: "Weekly" }),
    "retentionPolicy.monthlySchedule.retentionScheduleWeekly",
  ],
  ["an interval that Azure has not", hourly, "schedulePolicy.hourlySchedule.interval", 5],
  ["a window shorter than its interval", hourly, "schedulePolicy.hourlySchedule.scheduleWindowDuration", 3],
  ["too many snapshots", hourly, "instantRpRetentionRangeInDays", 18],
  ["less than a minute", hourly, "holdfast.intervalInMinutes", 0],
  ["no hours", hourly, "schedulePolicy.hourlySchedule", null],
  ["a weekly schedule without a day", weekly, "schedulePolicy.scheduleRunDays", []],
  ["weekly retention on another day", weekly, "retentionPolicy.weeklySchedule.daysOfTheWeek", ["Monday"]],
  [
    "daily retention under a weekly schedule",
    weekly,
    "retentionPolicy.dailySchedule",
    good["retentionPolicy"]!["dailySchedule"],
  ],
  ["three snapshot days under a weekly schedule", weekly, "instantRpRetentionRangeInDays", 3],
  [
    "dates of a month under a weekly schedule",
    weekly,
    "retentionPolicy.monthlySchedule",
    month({ retentionScheduleFormatType: "Daily", retentionScheduleDaily: { daysOfTheMonth: [{ date: 1 }] } }),
    "retentionPolicy.monthlySchedule.retentionScheduleFormatType",
  ],
];

for (const [what, base, path, value, field = path] of wrong) {
  test(`a policy with ${what} is refused, and the field named`, () => {
    const error = refused(withMember(base, path, value));
    const targets = error.details.map(({ target }) => target);
    assert.ok(targets.includes(`properties.${field}`), `${targets.join(", ")} instead of properties.${field}`);
    assert.match(error.message, /^Input for create or update policy is not in proper format\./);
  });
}

test("every wrong field is named at once, with value and remedy", () => {
  const bad = withMember(
    withMember(good, "timeZone", "Mars"),
    "retentionPolicy.dailySchedule.retentionDuration.count",
    6,
  );
  const { details } = refused(bad);
  assert.deepEqual(
    details.map(({ sentence }) => sentence),
    [
      `'properties.timeZone' is "Mars". Write a Windows time zone name, such as UTC, Pacific Standard Time or W. Europe Standard Time.`,
      "'properties.retentionPolicy.dailySchedule.retentionDuration.count' is 6. Choose 7 to 9999 Days.",
    ],
  );
});

test("an empty part that the format does not name is no mistake", () => {
  const monthlySchedule = {
    retentionScheduleFormatType: "Weekly",
    retentionScheduleDaily: {},
    retentionScheduleWeekly: { daysOfTheWeek: ["Sunday"], weeksOfTheMonth: ["First"] },
    retentionTimes: ["2026-01-01T05:30:00Z"],
    retentionDuration: { count: 60, durationType: "Months" },
  };
  const policy = parsePolicy({ ...good, retentionPolicy: { ...good["retentionPolicy"], monthlySchedule } });
  const { retentionPolicy } = renderPolicy(policy) as { retentionPolicy: { monthlySchedule: object } };
  const { retentionScheduleDaily: _empty, ...kept } = monthlySchedule;
  assert.deepEqual(retentionPolicy.monthlySchedule, kept);
});

test("unknown members are kept out, enumerations are read in any case", () => {
  const policy = parsePolicy({
    ...withMember(good, "schedulePolicy.scheduleRunFrequency", "DAILY"),
    colour: "blue",
    protectedItemsCount: 9,
  });
  assert.deepEqual(renderPolicy(policy), good);
});

test("a client that does not know the extras leaves them as they are; null ends them", () => {
  const before = parsePolicy(withMember(hourly, "holdfast", { intervalInMinutes: 15 }));
  assert.ok(before.management === "AzureIaasVM");
  assert.equal(before.extras.intervalMinutes, 15);
  const { holdfast: _, ...without } = renderPolicy(before);
  assert.deepEqual(parsePolicy(without, before), before);
  const ended = parsePolicy({ ...without, holdfast: null }, before);
  assert.equal(ended.management === "AzureIaasVM" && ended.extras.intervalMinutes, undefined);
});

test("databases have one full backup, and differentials on other days", () => {
  const base = renderPolicy(seededPolicies["HourlyLogBackup"]!);
  const [full, log] = base["subProtectionPolicy"] as [object, object];
  assert.match(refused({ ...base, subProtectionPolicy: [log] }).message, /must be a sub-policy of type Full/);
  const onSunday = { ...weekly.schedulePolicy, schedulePolicyType: "SimpleSchedulePolicy" };
  const differential = {
    policyType: "Differential",
    schedulePolicy: onSunday,
    retentionPolicy: {
      retentionPolicyType: "SimpleRetentionPolicy",
      retentionDuration: { count: 30, durationType: "Days" },
    },
  };
  const weeklyFull = { ...full, schedulePolicy: onSunday, retentionPolicy: weekly.retentionPolicy };
  const clash = refused({ ...base, subProtectionPolicy: [weeklyFull, differential, log] });
  assert.match(clash.message, /must not run on a day of the full one/);
});

test("whatever comes over the wire is a policy or a named refusal", () => {
  fc.assert(
    fc.property(
      fc.anything({ withNullPrototype: false }),
      fc.constantFrom("AzureIaasVM", "AzureWorkload", 7),
      (part, kind) => {
        for (const body of [
          part,
          { ...good, schedulePolicy: part },
          { ...good, backupManagementType: kind, retentionPolicy: part },
        ]) {
          try {
            parsePolicy(body);
          } catch (error) {
            assert.ok(error instanceof HoldfastError, String(error));
          }
        }
      },
    ),
    { numRuns: 300, seed: 6 },
  );
});
