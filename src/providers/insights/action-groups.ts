// Microsoft.Insights/actionGroups: whom rules of alerts tell. The service keeps the groups and names them
// in alerts (`egressConfig.actionGroups`).

import { z } from "zod";
import { armErrors } from "../../arm/errors.ts";
import type { Provider } from "../../arm/provider.ts";
import { parseBody, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { getResource } from "../../arm/resources/resource-store.ts";
import { trackedRoutes, type TrackedType } from "../../arm/resources/tracked-routes.ts";
import type { Services } from "../services.ts";
import { actionGroupProperties, type ActionGroup } from "./action-group-properties.ts";

const namespace = "Microsoft.Insights";
const typeName = "actionGroups";
const one = `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/${namespace}/${typeName}/{name}`;

const subscribeBody = z.object({ receiverName: z.string().min(1) });

export function actionGroupsProvider(services: Services): Provider {
  const type: TrackedType<ActionGroup> = {
    namespace,
    type: typeName,
    properties: actionGroupProperties,
    isGlobal: true,
    checkName: (name) => {
      if (/^[^:<>+/&%\\?\p{Cc}]{1,260}$/u.test(name) && !/[ .]$/.test(name)) return;
      throw armErrors.InvalidResourceName(
        `The action group name '${name.slice(0, 300)}' is invalid: 1 to 260 characters without : < > + / & % \\ ? and no space or period at its end.`,
        { target: "name" },
      );
    },
    settle: async ({ properties, envelope }) => {
      const { identity } = envelope;
      if (identity !== undefined && String(identity["type"] ?? "None").toLowerCase() !== "none")
        throw armErrors.BadRequest("Action groups with an identity are not supported: leave 'identity' out.", {
          target: "identity",
        });
      return { properties };
    },
  };

  /** Those who can refuse mail and texts are all enabled here: nobody has a link to refuse them by. */
  const subscribe = async (request: ArmRequest): Promise<ArmReply> => {
    const { receiverName } = parseBody(request, subscribeBody);
    const group = await getResource<ActionGroup>(services.database.kysely, request.resourceId);
    const { emailReceivers, smsReceivers } = group.properties;
    const wanted = receiverName.toLowerCase();
    if ([...emailReceivers, ...smsReceivers].some(({ name }) => name.toLowerCase() === wanted))
      throw armErrors.Conflict(`The receiver '${receiverName}' is already enabled.`, { target: "receiverName" });
    throw armErrors.NotFound(
      `The action group '${group.name}' has no mail or text receiver '${receiverName.slice(0, 200)}'.`,
      { target: "receiverName" },
    );
  };

  return {
    namespace,
    resourceTypes: [
      {
        name: typeName,
        apiVersions: [
          "2023-01-01",
          "2022-06-01",
          "2021-09-01",
          "2019-06-01",
          "2019-03-01",
          "2018-09-01",
          "2018-03-01",
          "2017-04-01",
        ],
        isGlobal: true,
        capabilities: "SupportsTags, SupportsLocation",
      },
    ],
    routes: [...trackedRoutes(services, type), { method: "POST", path: `${one}/subscribe`, handle: subscribe }],
    lifecycles: { [typeName]: {} },
  };
}
