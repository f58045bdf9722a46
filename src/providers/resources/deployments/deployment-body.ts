// The body of a deployment request, in the relaxed JSON that az sends.

import { armErrors } from "../../../arm/errors.ts";
import { isObject, type Json, type JsonObject, memberOf, newObject } from "../../../arm/relaxed-json/json.ts";
import { parseRelaxedJson } from "../../../arm/relaxed-json/parse.ts";
import type { SourcePositions } from "../../../arm/relaxed-json/positions.ts";
import type { ArmRequest } from "../../../arm/request.ts";
import type { DeploymentTarget } from "../../../arm/template/deployment-target.ts";
import { type LoadTemplate } from "./linked-templates.ts";
import { loadParameters, loadTemplateOf, readMode } from "../../../arm/template/nested.ts";
import type { DeploymentMode, DeploymentRequest } from "../../../arm/template/plan.ts";
import { templateErrors } from "../../../arm/template/template-errors.ts";
import { textMember } from "../../../arm/template/template.ts";

export interface DeploymentBody {
  readonly location: string | undefined;
  readonly tags: JsonObject | undefined;
  readonly mode: DeploymentMode;
  /** As given: values, and references to secrets. */
  readonly parameters: JsonObject;
  readonly template: Json;
  readonly templateLink: JsonObject | undefined;
  readonly parametersLink: JsonObject | undefined;
  readonly positions: SourcePositions;
  /** What what-if asks for. */
  readonly resultFormat: string | undefined;
  readonly debugSetting: JsonObject | undefined;
}

export async function readDeploymentBody(request: ArmRequest, load: LoadTemplate): Promise<DeploymentBody> {
  const { value, positions } = parseRelaxedJson(request.text);
  if (!isObject(value)) throw invalid("the body must be an object with 'properties'", "");
  const properties = memberOf(value, "properties");
  if (!isObject(properties)) throw invalid("'properties' is missing or no object", "properties");
  const object = (name: string, owner: JsonObject = properties): JsonObject | undefined => {
    const member = memberOf(owner, name);
    if (member === undefined || member === null) return undefined;
    if (!isObject(member)) throw invalid(`'${name}' must be an object`, `properties.${name}`);
    return member;
  };
  const templateLink = object("templateLink");
  const parametersLink = object("parametersLink");
  if (parametersLink !== undefined && object("parameters") !== undefined) {
    throw invalid("'parameters' and 'parametersLink' can't both be given", "properties.parametersLink");
  }
  if (object("onErrorDeployment") !== undefined)
    throw templateErrors.InvalidDeployment(
      "'onErrorDeployment' is not supported: nothing goes back to an earlier deployment by itself. Leave it out (az: --rollback-on-error).",
      { target: "properties.onErrorDeployment" },
    );
  const host = { loadTemplate: load };
  const loaded = await loadTemplateOf(properties, templateLink, undefined, host, request.signal);
  const settings = object("whatIfSettings");
  return {
    location: textMember(value, "location"),
    tags: object("tags", value),
    mode: readMode(memberOf(properties, "mode") ?? undefined),
    parameters:
      parametersLink === undefined
        ? unwrapped(object("parameters"))
        : await loadParameters(parametersLink, templateLink, host, request.signal),
    template: loaded.template,
    templateLink: loaded.link,
    parametersLink,
    positions: loaded.positions ?? positions,
    resultFormat: settings === undefined ? undefined : textMember(settings, "resultFormat"),
    debugSetting: object("debugSetting"),
  };
}

/** Some clients send a whole parameter file where its `parameters` belong. */
function unwrapped(parameters: JsonObject | undefined): JsonObject {
  if (parameters === undefined) return newObject();
  const inner = memberOf(parameters, "parameters");
  return memberOf(parameters, "$schema") !== undefined && isObject(inner) ? inner : parameters;
}

export function requestFrom(
  body: DeploymentBody,
  name: string,
  target: DeploymentTarget,
  parameters: JsonObject,
): DeploymentRequest {
  return {
    name,
    target,
    location: body.location,
    mode: body.mode,
    template: body.template,
    positions: body.positions,
    parameters,
    templateLink: body.templateLink,
    outer: undefined,
    depth: 0,
  };
}

function invalid(what: string, target: string): Error {
  return armErrors.InvalidRequestContent(`The request content was invalid: ${what}.`, { target });
}
