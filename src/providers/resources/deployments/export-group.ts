// `az group export`: the tracked resources of a group as a template. Names become parameters with
// the present names as defaults, so the template can be deployed again here or elsewhere.

import { z } from "zod";
import { renderError } from "../../../arm/error-body.ts";
import { asHoldfastError } from "../../../arm/operations/operation.ts";
import { fromPlain, isObject, type JsonObject } from "../../../arm/relaxed-json/json.ts";
import { ok, param, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { typeAndName } from "../../../arm/template/live-values.ts";
import type { Route } from "../../../arm/routes.ts";
import { HoldfastError } from "../../../lib/errors.ts";
import { type DeploymentParts, planningHost } from "./host.ts";

const schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#";

const bodySchema = z.object({ resources: z.array(z.string()).default(["*"]), options: z.string().nullish() });

/** What the provider says of a resource, and nobody can ask for. */
const readOnly = new Set(["id", "name", "type", "etag", "systemdata", "resourcegroup"]);

export function exportGroupRoute(parts: DeploymentParts): Route {
  return {
    method: "POST",
    path: "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/exportTemplate",
    action: "Microsoft.Resources/subscriptions/resourceGroups/exportTemplate/action",
    effect: "read",
    handle: (request) => exportGroup(parts, request),
  };
}

async function exportGroup(parts: DeploymentParts, request: ArmRequest): Promise<ArmReply> {
  const { resources: wanted, options } = parseBody(request, bodySchema);
  const host = planningHost(parts, {
    caller: request.caller,
    correlationId: request.correlationId,
    origin: request.origin,
  });
  const target = { subscriptionId: param(request, "subscriptionId"), resourceGroup: param(request, "resourceGroup") };
  const ids = new Set(wanted.map((id) => id.toLowerCase()));
  const withNames = !/Skip(AllParameterization|ResourceNameParameterization)/i.test(options ?? "");
  const parameters: Record<string, object> = {};
  const resources: object[] = [];
  const failures: HoldfastError[] = [];
  for (const id of await host.listGroupResources(target, request.signal)) {
    if (!ids.has("*") && !ids.has(id.toLowerCase())) continue;
    const { type } = typeAndName(id);
    const apiVersion = parts.apiVersionOf(type);
    try {
      const resource = fromPlain(await host.get(id, apiVersion, request.signal));
      if (!isObject(resource)) continue;
      const name = id.split("/").at(-1) ?? "";
      const parameter = `${type.split("/").at(-1) ?? ""}_${name}_name`.replace(/\W/g, "_");
      if (withNames) parameters[parameter] = { defaultValue: name, type: "String" };
      resources.push({
        type,
        apiVersion,
        name: withNames ? `[parameters('${parameter}')]` : literal(name),
        ...settable(resource),
      });
    } catch (error) {
      // One resource that can't be read does not keep the others from being exported.
      request.signal.throwIfAborted();
      failures.push(asHoldfastError(error));
    }
  }
  const template = { $schema: schema, contentVersion: "1.0.0.0", parameters, variables: {}, resources };
  const [first] = failures;
  return ok({
    template,
    ...(first === undefined
      ? {}
      : renderError(
          new HoldfastError(
            "ExportTemplateCompletedWithErrors",
            { status: 200 },
            "Export template operation completed with errors. Some resources were not exported. Please see details for more information.",
            { details: failures },
          ),
        )),
  });
}

function settable(resource: JsonObject): object {
  const entries = Object.entries(resource).filter(([name]) => !readOnly.has(name.toLowerCase()));
  return Object.fromEntries(
    entries.map(([name, value]) => {
      if (name !== "properties" || !isObject(value)) return [name, escaped(value)];
      return [
        name,
        escaped(Object.fromEntries(Object.entries(value).filter(([member]) => member !== "provisioningState"))),
      ];
    }),
  );
}

/** A text that looks like an expression must stay a text. */
function escaped(value: unknown): unknown {
  if (typeof value === "string") return literal(value);
  if (Array.isArray(value)) return value.map(escaped);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, escaped(member)]));
}

function literal(text: string): string {
  return text.startsWith("[") && text.endsWith("]") ? `[${text}` : text;
}
