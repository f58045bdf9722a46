import { findMember, type JsonObject, newObject } from "../../relaxed-json/json.ts";
import { compareText } from "../expression/values.ts";
import { arrayAt, objectAt, refuse, textAt } from "./arguments.ts";
import { any, type BuiltInTable, eager } from "./built-in.ts";

export const objectFunctions: BuiltInTable = {
  createObject: eager(0, any, (args, _context, name) => {
    if (args.length % 2 !== 0) throw refuse(name, "the number of parameters must be even: names and values in turn");
    const object = newObject();
    for (let index = 0; index < args.length; index += 2) object[textAt(name, args, index)] = args[index + 1] ?? null;
    return object;
  }),
  items: eager(1, 1, (args, _context, name) => {
    const object = objectAt(name, args, 0);
    return Object.keys(object)
      .sort((left, right) => compareText(left.toLowerCase(), right.toLowerCase()) || compareText(left, right))
      .map((key) => {
        const item = newObject();
        item["key"] = key;
        item["value"] = object[key] ?? null;
        return item;
      });
  }),
  objectKeys: eager(1, 1, (args, _context, name) =>
    Object.keys(objectAt(name, args, 0)).sort((left, right) => compareText(left.toLowerCase(), right.toLowerCase())),
  ),
  shallowMerge: eager(1, 1, (args, _context, name) => {
    const merged: JsonObject = newObject();
    for (const [index] of arrayAt(name, args, 0).entries()) {
      const object = objectAt(name, arrayAt(name, args, 0), index);
      for (const key of Object.keys(object)) merged[findMember(merged, key) ?? key] = object[key] ?? null;
    }
    return merged;
  }),
};
