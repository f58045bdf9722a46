// Lists over every type: `az resource list`. What a resource is in detail its own provider answers.

import { allowOnly, filterPredicate, parseFilter, requiredEquals } from "../../arm/filter.ts";
import { fillPage } from "../../arm/paging.ts";
import { param, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { listResources, type ResourceQuery } from "../../arm/resources/resource-store.ts";
import type { Resource } from "../../arm/resources/resource.ts";
import type { Route } from "../../arm/routes.ts";
import { tagsMatch, withoutTags } from "../../arm/tag-filter.ts";
import { isoTime } from "../../lib/clock.ts";
import type { Services } from "../services.ts";

const fields = [
  "resourceType",
  "resourceGroup",
  "name",
  "location",
  "tagName",
  "tagValue",
  "identity",
  "identity/principalId",
  "plan",
  "plan/publisher",
];

export function genericResourceRoutes(services: Services): Route[] {
  const { database, paging, access } = services;

  const list = async (request: ArmRequest): Promise<ArmReply> => {
    const filter = parseFilter(request.query.get("$filter"));
    allowOnly(filter, fields, ["substringof", "startswith"]);
    const rest = filterPredicate<Resource>(withoutTags(filter), readField);
    const expand = new Set(
      (request.query.get("$expand") ?? "")
        .toLowerCase()
        .split(",")
        .map((part) => part.trim()),
    );
    const grants = await access.grantsOf(request.caller.principalId);
    const page = paging.read(request);
    const query: ResourceQuery = {
      subscriptionId: param(request, "subscriptionId"),
      resourceGroup: request.params["resourceGroup"] ?? text(requiredEquals(filter, "resourceGroup")),
      type: text(requiredEquals(filter, "resourceType")),
      trackedOnly: true,
    };
    const keyOf = (row: Resource): string => row.id.toLowerCase();
    const found = await fillPage(
      page,
      (after, limit) => listResources(database.kysely, { ...query, after, limit }),
      keyOf,
      (row) => tagsMatch(filter, row) && rest(row) && grants.allows(`${row.type}/read`, row.id, "action"),
    );
    return paging.reply(request, page, found, keyOf, (row) => render(row, expand));
  };

  const inSubscription = "/subscriptions/{subscriptionId}/resources";
  const inGroup = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/resources";
  return [
    // Each row is shown to those who may read it; the list itself is open.
    { method: "GET", path: inSubscription, action: "", handle: list },
    { method: "GET", path: inGroup, action: "", handle: list },
  ];
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function readField(resource: Resource, field: string): string | undefined {
  switch (field.toLowerCase()) {
    case "resourcetype":
      return resource.type;
    case "resourcegroup":
      return resource.resourceGroup;
    case "name":
      return resource.name;
    case "location":
      return resource.location;
    case "identity/principalid":
      return text(resource.envelope.identity?.["principalId"]);
    default:
      return undefined;
  }
}

function render(resource: Resource, expand: ReadonlySet<string>): Record<string, unknown> {
  return {
    id: resource.id,
    name: resource.name,
    type: resource.type,
    ...(resource.location === undefined ? {} : { location: resource.location }),
    ...resource.envelope,
    ...(expand.has("createdtime") ? { createdTime: isoTime(resource.createdAt) } : {}),
    ...(expand.has("changedtime") ? { changedTime: isoTime(resource.changedAt) } : {}),
    ...(expand.has("provisioningstate") ? { provisioningState: resource.provisioningState } : {}),
    systemData: resource.systemData,
  };
}
