import { isObject, type JsonObject, memberOf } from "../relaxed-json/json.ts";
import type { Position } from "../relaxed-json/positions.ts";
import { knownType, resolveType } from "./parameter-types.ts";
import { type Template, textMember } from "./template.ts";

export interface OutputDeclaration {
  readonly name: string;
  readonly type: string;
  readonly declaration: JsonObject;
  readonly position: Position | undefined;
  readonly isValid: boolean;
  readonly complaint: string;
}

export function outputEntries(template: Template): OutputDeclaration[] {
  return Object.entries(template.outputs).map(([name, declaration]) => {
    const position = template.positions.ofMember(template.outputs, name);
    if (!isObject(declaration))
      return { name, type: "", declaration: {}, position, isValid: false, complaint: "it must be an object" };
    const resolved = resolveType(declaration, template.definitions);
    const type = resolved === undefined ? "" : (textMember(resolved, "type") ?? "");
    const hasValue = memberOf(declaration, "value") !== undefined || isObject(memberOf(declaration, "copy"));
    const complaint = knownType(type) ? (hasValue ? "" : "it has no 'value'") : `the type '${type}' is unknown`;
    return { name, type, declaration, position, isValid: complaint === "", complaint };
  });
}
