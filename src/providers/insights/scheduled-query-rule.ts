// The two generations of scheduled query rules on the wire, and the rule that both mean.

import { z } from "zod";
import { armErrors } from "../../arm/errors.ts";
import { withSchemaNames } from "../../lib/property-names.ts";
import type { Severity } from "../../monitor/alert.ts";
import { aggregations, operators, type Operator, type Rule } from "../../monitor/rules/rule.ts";
import { legacyCriterion } from "./legacy-criterion.ts";

const minute = 60_000;
const day = 1440;

/** ISO 8601 durations as rules use them, in minutes. */
const durationOf = (allowed: readonly number[]) =>
  z.string().transform((text, context) => {
    const match = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?$/.exec(text);
    const minutes =
      match === null ? 0 : [day, 60, 1].reduce((sum, unit, at) => sum + Number(match[at + 1] ?? 0) * unit, 0);
    if (allowed.includes(minutes)) return minutes * minute;
    context.addIssue({ code: "custom", message: `must be one of ${allowed.join(", ")} minutes, as PT5M` });
    return z.NEVER;
  });
const frequencies = [1, 5, 10, 15, 30, 45, 60, 120, 180, 240, 300, 360, day];
const windows = [...frequencies, 2 * day];

const operatorNames = Object.keys(operators) as Operator[];
const operatorSchema = z
  .string()
  .transform((text) => (text === "Equal" ? "Equals" : text))
  .pipe(z.enum(operatorNames));
const id = z.string().startsWith("/").max(1024);

const condition = z.object({
  query: z.string().min(1).max(65_536),
  timeAggregation: z.enum(aggregations).default("Count"),
  metricMeasureColumn: z.string().nullish(),
  resourceIdColumn: z.string().nullish(),
  dimensions: z
    .array(z.object({ name: z.string().min(1), operator: z.enum(["Include", "Exclude"]), values: z.array(z.string()) }))
    .max(6)
    .nullish(),
  operator: operatorSchema,
  threshold: z.number(),
  failingPeriods: z
    .object({
      numberOfEvaluationPeriods: z.int().min(1).max(6).default(1),
      minFailingPeriodsToAlert: z.int().min(1).max(6).default(1),
    })
    .nullish(),
});

const customProperties = z.record(z.string(), z.string()).nullish();
const actions = z
  .object({ actionGroups: z.array(id).max(5).nullish(), customProperties, actionProperties: customProperties })
  .or(z.array(z.object({ actionGroupId: id, webHookProperties: customProperties })).max(5))
  .nullish();

export const ruleProperties = z.object({
  displayName: z.string().nullish(),
  description: z.string().max(4096).nullish(),
  severity: z.int().min(0).max(4),
  enabled: z.boolean().default(true),
  scopes: z.array(id).length(1),
  targetResourceTypes: z.array(z.string()).nullish(),
  evaluationFrequency: durationOf(frequencies),
  windowSize: durationOf(windows),
  overrideQueryTimeRange: durationOf(windows).nullish(),
  muteActionsDuration: durationOf(frequencies).nullish(),
  autoMitigate: z.boolean().default(true),
  skipQueryValidation: z.boolean().default(false),
  checkWorkspaceAlertsStorageConfigured: z.boolean().nullish(),
  criteria: z.object({ allOf: z.array(condition).length(1) }),
  actions,
});

export const legacyProperties = z.object({
  displayName: z.string().nullish(),
  description: z.string().nullish(),
  enabled: z.enum(["true", "false"]).default("true"),
  autoMitigate: z.boolean().default(false),
  source: z.object({
    query: z.string().min(1).max(65_536),
    dataSourceId: id,
    queryType: z.literal("ResultCount").nullish(),
  }),
  schedule: z.object({
    frequencyInMinutes: z.int().min(5).max(day),
    timeWindowInMinutes: z
      .int()
      .min(5)
      .max(2 * day),
  }),
  action: z.object({
    severity: z.enum(["0", "1", "2", "3", "4"]),
    aznsAction: z.object({ actionGroup: z.array(id).max(5).nullish() }).nullish(),
    throttlingInMin: z.int().min(0).max(10_000).nullish(),
    trigger: z.object({
      thresholdOperator: operatorSchema,
      threshold: z.number(),
      metricTrigger: z
        .object({
          thresholdOperator: operatorSchema,
          threshold: z.number(),
          metricTriggerType: z.enum(["Consecutive", "Total"]).default("Total"),
          metricColumn: z.string().nullish(),
        })
        .nullish(),
    }),
  }),
});

/** The rule that a resource's properties mean; whichever generation they are of. */
export function ruleFrom(resourceId: string, properties: object): Rule {
  const name = resourceId.split("/").at(-1) ?? "";
  return "source" in properties
    ? fromLegacy(resourceId, name, checked(legacyProperties, properties))
    : fromPresent(resourceId, name, checked(ruleProperties, properties));
}

export function isEnabled(properties: object): boolean {
  const enabled: unknown = Reflect.get(properties, "enabled");
  return enabled !== false && enabled !== "false";
}

function fromPresent(resourceId: string, name: string, given: z.output<typeof ruleProperties>): Rule {
  const [first] = given.criteria.allOf;
  const { timeAggregation, metricMeasureColumn, failingPeriods } = first ?? {};
  if (first === undefined) throw invalid("criteria.allOf", "must hold one condition");
  const periods = failingPeriods?.numberOfEvaluationPeriods ?? 1;
  const minFailing = failingPeriods?.minFailingPeriodsToAlert ?? 1;
  const isCount = timeAggregation === "Count";
  if (isCount !== (metricMeasureColumn === undefined || metricMeasureColumn === null || metricMeasureColumn === ""))
    throw invalid(
      "criteria.allOf[0].metricMeasureColumn",
      isCount ? "must be left out when rows are counted" : "must name what is aggregated",
    );
  if (minFailing > periods)
    throw invalid("failingPeriods.minFailingPeriodsToAlert", "must not be more than numberOfEvaluationPeriods");
  if (given.windowSize * periods > 2 * day * minute)
    throw invalid("windowSize", "all periods together look back two days at most");
  if (given.evaluationFrequency > given.windowSize * periods)
    throw invalid("evaluationFrequency", "must not be longer than what the rule looks back");
  const muteFor = given.muteActionsDuration ?? 0;
  if (muteFor > 0 && given.autoMitigate) throw invalid("muteActionsDuration", "excludes autoMitigate");
  if (muteFor > 0 && muteFor < given.evaluationFrequency)
    throw invalid("muteActionsDuration", "must not be shorter than evaluationFrequency");
  if (given.autoMitigate && given.evaluationFrequency > 720 * minute)
    throw invalid("autoMitigate", "is not possible when the rule is evaluated less than twice a day");
  const timeRange = given.overrideQueryTimeRange ?? given.windowSize * periods;
  if (timeRange < given.windowSize * periods) throw invalid("overrideQueryTimeRange", "must cover every period");
  const groups = Array.isArray(given.actions)
    ? given.actions.map(({ actionGroupId }) => actionGroupId)
    : (given.actions?.actionGroups ?? []);
  return {
    id: resourceId,
    name,
    description: given.description ?? "",
    severity: `Sev${given.severity}` as Severity,
    scope: given.scopes[0] ?? "",
    frequency: given.evaluationFrequency,
    windowSize: given.windowSize,
    timeRange,
    criterion: {
      query: first.query,
      aggregation: first.timeAggregation,
      measureColumn: isCount ? undefined : (metricMeasureColumn ?? undefined),
      resourceIdColumn: first.resourceIdColumn ?? undefined,
      dimensions: first.dimensions ?? [],
      operator: first.operator,
      threshold: first.threshold,
      periods,
      minFailing,
    },
    isStateful: given.autoMitigate,
    muteFor,
    actions: {
      actionGroups: groups,
      customProperties: Array.isArray(given.actions) ? {} : (given.actions?.customProperties ?? {}),
    },
    isLegacy: false,
  };
}

function fromLegacy(resourceId: string, name: string, given: z.output<typeof legacyProperties>): Rule {
  const { source, schedule, action } = given;
  const windowSize = schedule.timeWindowInMinutes * minute;
  if (schedule.frequencyInMinutes > schedule.timeWindowInMinutes)
    throw invalid("schedule.frequencyInMinutes", "must not be longer than timeWindowInMinutes");
  return {
    id: resourceId,
    name,
    description: given.description ?? "",
    severity: `Sev${action.severity}` as Severity,
    scope: source.dataSourceId,
    frequency: schedule.frequencyInMinutes * minute,
    windowSize,
    timeRange: windowSize,
    criterion: legacyCriterion(source.query, action.trigger),
    isStateful: given.autoMitigate,
    muteFor: (action.throttlingInMin ?? 0) * minute,
    actions: { actionGroups: action.aznsAction?.actionGroup ?? [], customProperties: {} },
    isLegacy: true,
  };
}

function checked<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(withSchemaNames(schema, value));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalid(issue?.path.map(String).join(".") ?? "", issue?.message ?? "is wrong");
}

function invalid(field: string, why: string): Error {
  return armErrors.BadRequest(`'properties.${field}' ${why}.`, { target: `properties.${field}` });
}
