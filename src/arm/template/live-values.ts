// Values of a running deployment. An expression that asks for one that is not there yet stops; the
// value is fetched; the expression is evaluated again. So the evaluator needs no waiting inside.

import { isObject, type Json, memberOf, newObject, fromPlain } from "../relaxed-json/json.ts";
import type { DeploymentHost, DeploymentRecorder } from "./deployment-host.ts";
import type { Budget } from "./expression/budget.ts";
import { ExpressionError } from "./expression/expression-error.ts";
import { RuntimeValueNeeded, type RuntimeRequest, type RuntimeValues } from "./expression/scope.ts";
import { recordStep } from "./operation-record.ts";

export interface LiveValues extends RuntimeValues {
  /** What a provider answered to a put of this deployment. */
  keep(id: string, apiVersion: string, body: Json): void;
  /** Evaluates until nothing is missing. */
  resolve<T>(evaluate: () => T, signal: AbortSignal): Promise<T>;
}

/** `parent` knows what a nested template of the outer scope may ask of the template around it. */
export function liveValues(
  host: DeploymentHost,
  recorder: DeploymentRecorder,
  budget: Budget,
  parent: RuntimeValues | undefined,
): LiveValues {
  const resources = new Map<string, Json>();
  const answers = new Map<string, Json>();

  const known = (request: RuntimeRequest): Json | undefined => {
    if (request.kind !== "reference") return answers.get(JSON.stringify(request));
    const resource = resources.get(request.id.toLowerCase());
    return resource === undefined ? undefined : view(resource, request.full);
  };

  const fetch = async (request: RuntimeRequest, signal: AbortSignal): Promise<void> => {
    if (request.kind === "providers") {
      answers.set(JSON.stringify(request), fromPlain(await host.providers(request.namespace, signal)));
      return;
    }
    const { id } = request;
    const { apiVersion } = request;
    if (apiVersion === undefined) {
      throw new ExpressionError(
        `The resource '${id}' is not defined in the template: reference() needs its api-version as second parameter. Please see https://aka.ms/arm-functions#reference for usage details.`,
      );
    }
    const target = { id, apiVersion, ...typeAndName(id) };
    if (request.kind === "reference") {
      const body = await recordStep(host, recorder, { kind: "Read", target }, async () => ({
        statusCode: 200,
        body: await host.get(id, apiVersion, signal),
      }));
      keep(id, apiVersion, body ?? null);
    } else {
      const actionTarget = { ...target, id: `${id}/${request.action}` };
      const body = await recordStep(host, recorder, { kind: "Action", target: actionTarget }, async () => ({
        statusCode: 200,
        body: await host.action(id, request.action, apiVersion, request.body, signal),
      }));
      answers.set(JSON.stringify(request), fromPlain(body ?? null));
    }
  };

  const keep = (id: string, apiVersion: string, body: Json): void => {
    const resource = fromPlain(body);
    if (isObject(resource) && apiVersion !== "") resource["apiVersion"] ??= apiVersion;
    resources.set(id.toLowerCase(), resource);
  };

  return {
    keep,
    value: (request) => {
      const value = known(request);
      if (value !== undefined) return value;
      const inherited = parent === undefined ? undefined : knownTo(parent, request);
      if (inherited === undefined) throw new RuntimeValueNeeded(request);
      return inherited;
    },
    resolve: async (evaluate, signal) => {
      for (;;) {
        signal.throwIfAborted();
        try {
          return budget.timed(evaluate);
        } catch (error) {
          if (!(error instanceof RuntimeValueNeeded)) throw error;
          await fetch(error.request, signal);
        }
      }
    },
  };
}

function knownTo(values: RuntimeValues, request: RuntimeRequest): Json | undefined {
  try {
    return values.value(request);
  } catch (error) {
    if (error instanceof RuntimeValueNeeded) return undefined;
    throw error;
  }
}

function view(resource: Json, full: boolean): Json {
  if (full || !isObject(resource)) return resource;
  return memberOf(resource, "properties") ?? newObject();
}

export function typeAndName(id: string): { readonly type: string; readonly name: string } {
  const at = id.toLowerCase().lastIndexOf("/providers/");
  if (at < 0) {
    const group = /\/resourceGroups\/([^/]+)$/i.exec(id)?.[1];
    return group === undefined ? { type: "", name: id } : { type: "Microsoft.Resources/resourceGroups", name: group };
  }
  const [namespace = "", ...rest] = id.slice(at + "/providers/".length).split("/");
  return {
    type: [namespace, ...rest.filter((_, index) => index % 2 === 0)].join("/"),
    name: rest.filter((_, index) => index % 2 === 1).join("/"),
  };
}
