// Microsoft.AlertsManagement/actionRules, which people call alert processing rules, and the door through
// which every alert goes when it fires.

import { armErrors } from "../../arm/errors.ts";
import type { Provider } from "../../arm/provider.ts";
import { idKey } from "../../arm/resource-id.ts";
import { listResources, type Writer } from "../../arm/resources/resource-store.ts";
import { trackedRoutes, type TrackedType } from "../../arm/resources/tracked-routes.ts";
import { scopeOf } from "../../db/transaction.ts";
import type { Alert } from "../../monitor/alert.ts";
import { fireAlert, type AlertDraft } from "../../monitor/alerts.ts";
import type { Services } from "../services.ts";
import { processed, processingRuleProperties, type ProcessingRule } from "./processing-rule.ts";

const namespace = "Microsoft.AlertsManagement";
const typeName = "actionRules";

export function processingRulesProvider(services: Services): Provider {
  const type: TrackedType<ProcessingRule> = {
    namespace,
    type: typeName,
    properties: processingRuleProperties,
    isGlobal: true,
    checkName: (name) => {
      if (/^[^<>*%&:\\?+/#@{}\p{Cc}]{1,260}$/u.test(name) && !/[ .]$/.test(name)) return;
      throw armErrors.InvalidResourceName(
        `The rule name '${name.slice(0, 300)}' is invalid: 1 to 260 characters without < > * % & : \\ ? + / # @ { } and no space or period at its end.`,
        { target: "name" },
      );
    },
    settle: async ({ id, properties }) => {
      const own = `${idKey(id).split("/").slice(0, 3).join("/")}/`;
      const other = properties.scopes.find((scope) => !`${idKey(scope)}/`.startsWith(own));
      if (other !== undefined)
        throw armErrors.BadRequest(`The scope '${other}' is not in the subscription of the rule.`, {
          target: "properties.scopes",
        });
      return { properties };
    },
  };
  return {
    namespace,
    resourceTypes: [
      {
        name: typeName,
        apiVersions: ["2021-08-08", "2021-08-08-preview"],
        isGlobal: true,
        capabilities: "SupportsTags, SupportsLocation",
      },
    ],
    routes: trackedRoutes(services, type),
    lifecycles: { [typeName]: {} },
  };
}

/** Fires an alert, with the groups that the subscription's rules give it or take from it. */
export async function raiseAlert(trx: Writer, draft: AlertDraft): Promise<Alert | undefined> {
  const subscriptionId = draft.target.split("/")[2] ?? "";
  const rules = await listResources<ProcessingRule>(trx, { subscriptionId, type: `${namespace}/${typeName}` });
  const now = scopeOf(trx).clock.now();
  return fireAlert(
    trx,
    processed(
      draft,
      rules.map(({ properties }) => properties),
      now,
    ),
  );
}
