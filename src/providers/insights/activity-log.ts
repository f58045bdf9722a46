// The activity log on the wire: `az monitor activity-log list`, newest first, in pages.

import type { Provider } from "../../arm/provider.ts";
import { armErrors } from "../../arm/errors.ts";
import { allowOnly, filterPredicate, filterTime, parseFilter, requiredEquals, type Filter } from "../../arm/filter.ts";
import { fillPage } from "../../arm/paging.ts";
import { ok, param, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { idKey } from "../../arm/resource-id.ts";
import { activityRetentionDays } from "../../arm/activity/activity.ts";
import type { ActivityRow } from "../../db/schema/arm.ts";
import type { Services } from "../services.ts";

const fields = [
  "eventTimestamp",
  "correlationId",
  "resourceGroupName",
  "resourceId",
  "resourceUri",
  "resourceProvider",
  "resourceProviderName",
  "caller",
  "status",
  "resourceType",
  "levels",
  "operationName",
  "eventChannels",
  "category",
];
const dayMilliseconds = 86_400_000;

type Row = Pick<ActivityRow, "at" | "event_id" | "event">;

interface Event {
  readonly [name: string]: unknown;
}

export function activityLogProvider({ database, paging }: Services): Provider {
  const list = async (request: ArmRequest): Promise<ArmReply> => {
    const filter = parseFilter(request.query.get("$filter"));
    allowOnly(filter, fields);
    const { from, to } = timeRange(filter, database.clock.now());
    const select = new Set(
      (request.query.get("$select") ?? "")
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== ""),
    );
    const page = paging.read(request);
    let query = database.kysely
      .selectFrom("activity")
      .select(["at", "event_id", "event"])
      .where("subscription_key", "=", param(request, "subscriptionId").toLowerCase())
      .where("at", ">=", from)
      .where("at", "<=", to);
    const equals: readonly (readonly [
      string,
      "correlation_id" | "group_key" | "resource_key" | "provider_key" | "caller_key" | "status_key",
    ])[] = [
      ["correlationId", "correlation_id"],
      ["resourceGroupName", "group_key"],
      ["resourceId", "resource_key"],
      ["resourceUri", "resource_key"],
      ["resourceProvider", "provider_key"],
      ["resourceProviderName", "provider_key"],
      ["caller", "caller_key"],
      ["status", "status_key"],
    ];
    for (const [field, column] of equals) {
      const wanted = requiredEquals(filter, field);
      if (typeof wanted === "string")
        query = query.where(column, "=", column === "resource_key" ? idKey(wanted) : wanted.toLowerCase());
    }
    const keyOf = (row: Row): string => `${row.at} ${row.event_id}`;
    const fetch = (after: string | undefined, limit: number): Promise<Row[]> => {
      const [at = "0", eventId = ""] = (after ?? "").split(" ");
      const rest = query.orderBy("at", "desc").orderBy("event_id", "desc").limit(limit);
      if (after === undefined) return rest.execute();
      return rest
        .where((where) =>
          where.or([
            where("at", "<", Number(at)),
            where.and([where("at", "=", Number(at)), where("event_id", "<", eventId)]),
          ]),
        )
        .execute();
    };
    // The columns answer every plain equality; what they cannot say (ne, or) is tested row by row.
    const matches = filterPredicate<Event>(withoutTime(filter), readField);
    const rows = await fillPage(page, fetch, keyOf, (row) => matches(JSON.parse(row.event) as Event));
    return paging.reply(request, page, rows, keyOf, (row) => pick(JSON.parse(row.event) as Event, select));
  };

  return {
    namespace: "Microsoft.Insights",
    resourceTypes: [
      { name: "eventtypes", apiVersions: ["2017-03-01-preview", "2016-09-01-preview", "2015-04-01"], isGlobal: true },
      { name: "eventcategories", apiVersions: ["2017-03-01-preview", "2015-04-01"], isGlobal: true },
    ],
    routes: [
      {
        method: "GET",
        path: "/subscriptions/{subscriptionId}/providers/Microsoft.Insights/eventtypes/management/values",
        action: "Microsoft.Insights/eventtypes/management/Values/Read",
        handle: list,
      },
      {
        method: "GET",
        path: "/providers/Microsoft.Insights/eventcategories",
        action: "",
        handle: async () =>
          ok({
            value: ["Administrative", "Security", "ServiceHealth", "Alert", "Recommendation", "Policy"].map(
              (value) => ({ value, localizedValue: value }),
            ),
          }),
      },
    ],
  };
}

/** Azure asks for a start; here it defaults to the whole retention. */
function timeRange(filter: Filter, now: number): { from: number; to: number } {
  const range = { from: now - activityRetentionDays * dayMilliseconds, to: now + dayMilliseconds };
  const visit = (node: Filter): void => {
    if (node.kind === "and") {
      visit(node.left);
      visit(node.right);
    }
    if (node.kind !== "compare" || node.field.toLowerCase() !== "eventtimestamp") return;
    const at = filterTime(String(node.value));
    if (at === undefined) {
      throw armErrors.InvalidFilterInQueryString(
        `The eventTimestamp '${String(node.value)}' is not a time. Write it as 2026-01-31T00:00:00Z.`,
        { target: "$filter" },
      );
    }
    if (node.operator === "ge" || node.operator === "gt") range.from = Math.max(range.from, at);
    if (node.operator === "le" || node.operator === "lt") range.to = Math.min(range.to, at);
  };
  visit(filter);
  return range;
}

function withoutTime(filter: Filter): Filter {
  if (filter.kind === "compare" && filter.field.toLowerCase() === "eventtimestamp") return { kind: "all" };
  if (filter.kind === "and") return { kind: "and", left: withoutTime(filter.left), right: withoutTime(filter.right) };
  return filter;
}

function readField(event: Event, field: string): string | undefined {
  const name = field.toLowerCase();
  const spelled =
    name === "resourceprovider"
      ? "resourceprovidername"
      : name === "resourceuri"
        ? "resourceid"
        : name === "levels"
          ? "level"
          : name === "eventchannels"
            ? "channels"
            : name;
  const value = Object.entries(event).find(([key]) => key.toLowerCase() === spelled)?.[1];
  if (typeof value === "object" && value !== null && "value" in value) return String(value.value);
  return value === undefined ? undefined : String(value);
}

function pick(event: Event, names: ReadonlySet<string>): Event {
  if (names.size === 0) return event;
  const wanted = new Set([...names].map((name) => name.toLowerCase()));
  return Object.fromEntries(Object.entries(event).filter(([name]) => wanted.has(name.toLowerCase())));
}
