// What an expression may ask its surroundings for. `TemplateScope` is one template's (parameters,
// variables, user functions); `RuntimeValues` answers what only a running deployment knows.

import type { Json, JsonObject } from "../../relaxed-json/json.ts";
import type { Budget } from "./budget.ts";
import type { Expression } from "./syntax.ts";

export interface UserFunction {
  readonly namespace: string;
  readonly name: string;
  readonly parameters: readonly string[];
  readonly output: Json;
}

export interface CopyIteration {
  readonly name: string;
  readonly index: number;
  /** `copyIndex()` without a name means the loop of the resource (or output), not one of a property. */
  readonly kind: "resource" | "property";
}

/** A value that is not known before something was asked of a provider. */
export type RuntimeRequest =
  | { readonly kind: "reference"; readonly id: string; readonly apiVersion: string | undefined; readonly full: boolean }
  | {
      readonly kind: "list";
      readonly id: string;
      readonly action: string;
      readonly apiVersion: string;
      readonly body: Json | undefined;
    }
  | { readonly kind: "providers"; readonly namespace: string };

export interface RuntimeValues {
  /** Throws RuntimeValueNeeded when the value has to be fetched first. */
  value(request: RuntimeRequest): Json;
}

/** Thrown through an evaluation; whoever started it fetches the value and evaluates again. */
export class RuntimeValueNeeded extends Error {
  readonly request: RuntimeRequest;

  constructor(request: RuntimeRequest) {
    super(`The value of ${request.kind} is not known yet.`);
    this.name = "RuntimeValueNeeded";
    this.request = request;
  }
}

export interface DeploymentFacts {
  readonly tenant: JsonObject;
  readonly subscription: JsonObject;
  readonly resourceGroup: JsonObject | undefined;
  readonly managementGroup: JsonObject | undefined;
  readonly deployment: JsonObject;
  readonly environment: JsonObject;
  readonly deployer: JsonObject;
  /** Milliseconds since the epoch, fixed for the whole deployment. */
  readonly now: number;
}

export interface TemplateScope {
  readonly facts: DeploymentFacts;
  parameter(name: string, context: EvaluationContext): Json;
  variable(name: string, context: EvaluationContext): Json;
  userFunction(namespace: string, name: string): UserFunction | undefined;
  /** Resources of the template by symbolic name or by (short) name; see reference(). */
  resourceNamed(name: string, context: EvaluationContext): NamedResource | undefined;
  /** The iterations of a symbolic copy loop, for references(). */
  loopNamed(name: string, context: EvaluationContext): readonly NamedResource[] | undefined;
}

export interface NamedResource {
  readonly id: string;
  readonly apiVersion: string | undefined;
  readonly name: string;
  readonly type: string;
}

/** Where an expression stands decides which functions it may use. */
export interface Place {
  /** newGuid and utcNow: default values of parameters only. */
  readonly isParameterDefault: boolean;
  /** reference, list*: properties of resources and outputs only. */
  readonly allowsRuntime: boolean;
}

export interface EvaluationContext {
  readonly budget: Budget;
  readonly scope: TemplateScope;
  readonly place: Place;
  readonly runtime: RuntimeValues;
  /** Outermost first. */
  readonly copies: readonly CopyIteration[];
  readonly lambdaVariables: ReadonlyMap<string, Json>;
  /** Arguments of the user function that is being evaluated. */
  readonly functionArguments: ReadonlyMap<string, Json> | undefined;
  /** Calls of user functions and variables that lead here. */
  readonly depth: number;
}

export type Evaluate = (expression: Expression, context: EvaluationContext) => Json;
