// A scope to evaluate single expressions in: a resource group, a few parameters, a variable and a function.

import { toPlain } from "../../relaxed-json/json.ts";
import { newBudget } from "../expression/budget.ts";
import { evaluateText } from "../expression/evaluate.ts";
import { planDeployment } from "../plan.ts";
import { newTreeBudget } from "../validate.ts";
import { memoryAzure, requestOf } from "./memory-azure.ts";

const azure = memoryAzure();
const request = requestOf({
  template: {
    parameters: { name: { type: "string", defaultValue: "vault" }, list: { type: "array", defaultValue: [1, 2, 3] } },
    variables: { text: "[concat(parameters('name'), '1')]" },
    functions: [
      {
        namespace: "contoso",
        members: {
          tag: {
            parameters: [{ name: "text", type: "string" }],
            output: { type: "string", value: "[concat('<', parameters('text'), '>')]" },
          },
        },
      },
    ],
  },
});
const facts = await azure.host.facts(request.target, new AbortController().signal);
export const plan = planDeployment(request, facts, newTreeBudget());

/** `text` without its brackets. */
export function evaluate(text: string): unknown {
  const budget = newBudget();
  return toPlain(budget.timed(() => evaluateText(`[${text}]`, { ...plan.context, budget })));
}
