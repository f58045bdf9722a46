// What a template may ask of the deployment around it: parameters, variables, where it runs.

import type { Json, JsonObject } from "../../relaxed-json/json.ts";
import type { DeploymentFacts } from "../expression/scope.ts";
import { newGuid } from "../../../lib/random.ts";
import { refuse, textAt } from "./arguments.ts";
import { type BuiltIn, type BuiltInTable, eager } from "./built-in.ts";
import { onlyInParameterDefault } from "./dates.ts";

export const scopeFunctions: BuiltInTable = {
  parameters: eager(1, 1, (args, context, name) => {
    const parameter = textAt(name, args, 0);
    const argument = context.functionArguments?.get(parameter.toLowerCase());
    if (argument !== undefined) return argument;
    if (context.functionArguments !== undefined) throw refuse(name, `the function has no parameter '${parameter}'`);
    return context.scope.parameter(parameter, context);
  }),
  variables: eager(1, 1, (args, context, name) => {
    if (context.functionArguments !== undefined)
      throw refuse(name, "a user function cannot use variables of the template");
    return context.scope.variable(textAt(name, args, 0), context);
  }),
  deployment: fact("deployment"),
  environment: fact("environment"),
  subscription: fact("subscription"),
  tenant: fact("tenant"),
  deployer: fact("deployer"),
  resourceGroup: eager(0, 0, (_args, { scope }, name) => {
    if (scope.facts.resourceGroup !== undefined) return scope.facts.resourceGroup;
    throw refuse(name, "the template is not deployed to a resource group, so there is no current one");
  }),
  managementGroup: eager(0, 0, (_args, { scope }, name) => {
    if (scope.facts.managementGroup !== undefined) return scope.facts.managementGroup;
    throw refuse(name, "the template is not deployed to a management group, so there is no current one");
  }),
  newGuid: eager(0, 0, (_args, context, name) => {
    onlyInParameterDefault(context, name);
    return newGuid();
  }),
};

type FactName = {
  [Name in keyof DeploymentFacts]: DeploymentFacts[Name] extends JsonObject ? Name : never;
}[keyof DeploymentFacts];

function fact(name: FactName): BuiltIn {
  return eager(0, 0, (_args, { scope }): Json => scope.facts[name]);
}
