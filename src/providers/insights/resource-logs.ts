// `{resource}/providers/Microsoft.Insights/logs`: a query over what one resource logs, in whichever
// workspaces it is. Needs rights on the resource, none on the workspaces.

import type { Provider } from "../../arm/provider.ts";
import type { ArmReply, ArmRequest } from "../../arm/request.ts";
import { idKey } from "../../arm/resource-id.ts";
import type { LogServices } from "../operationalinsights/services.ts";
import { workspacesFor } from "../operationalinsights/workspace.ts";

const path = "{scope}/providers/Microsoft.Insights/logs";
const action = "Microsoft.Insights/logs/read";

export function resourceLogsProvider(services: LogServices): Provider {
  const handle = async (request: ArmRequest): Promise<ArmReply> => {
    const { lookUp, ofResource } = workspacesFor(services, {
      objectId: request.caller.principalId,
      name: request.caller.name,
    });
    const resource = request.params["scope"] ?? "";
    const wire = {
      body: request.method === "POST" ? request.body : { query: request.query.get("query") },
      workspaces: await ofResource(resource),
      resource: idKey(resource),
      timespan: request.query.get("timespan"),
      prefer: request.header("prefer"),
    };
    const { status, json } = await services.logs.answer(wire, lookUp, request.signal);
    return { status, body: JSON.parse(json) as unknown };
  };
  return {
    namespace: "Microsoft.Insights",
    resourceTypes: [{ name: "logs", apiVersions: ["2018-08-01-preview"], isGlobal: true }],
    routes: [
      { method: "GET", path, action, handle },
      { method: "POST", path, action, effect: "read", handle },
    ],
  };
}
