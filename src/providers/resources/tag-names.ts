// The tags that are in use in a subscription, and the names and values that somebody wrote down for others
// to choose from (`az tag create --name`): those are only offered, nothing holds anybody to them.

import { armErrors } from "../../arm/errors.ts";
import { noContent, ok, param, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import {
  deleteResource,
  findResource,
  listResources,
  putResource,
  type Reader,
} from "../../arm/resources/resource-store.ts";
import type { Route } from "../../arm/routes.ts";
import { defineErrors } from "../../lib/errors.ts";
import type { Services } from "../services.ts";

const errors = defineErrors({
  InvalidTagName: { status: 400 },
  InvalidTagValue: { status: 400 },
  TagNameNotFound: { status: 404 },
  TagNameInUse: { status: 409 },
  TagValueInUse: { status: 409 },
});

const type = "Microsoft.Resources/tagNames";
const collection = "/subscriptions/{subscriptionId}/tagNames";
const one = `${collection}/{tagName}`;
const oneValue = `${one}/tagValues/{tagValue}`;
const action = "Microsoft.Resources/subscriptions/tagNames";
const mostNames = 1000;

interface Offered {
  readonly values: readonly string[];
}

/** How often each value of a tag is in use, by its name. */
type Uses = ReadonlyMap<string, ReadonlyMap<string, number>>;

export function tagNameRoutes({ database }: Services): Route[] {
  const rowId = (request: ArmRequest): string =>
    `/subscriptions/${param(request, "subscriptionId")}/providers/${type}/${param(request, "tagName")}`;

  const list = async (request: ArmRequest): Promise<ArmReply> => {
    const subscriptionId = param(request, "subscriptionId");
    const uses = await usesIn(database.kysely, subscriptionId);
    const offered = await listResources<Offered>(database.kysely, { subscriptionId, type });
    const values = new Map(offered.map(({ name, properties }) => [name, properties.values]));
    const names = [...new Set([...values.keys(), ...uses.keys()])].toSorted();
    return ok({ value: names.map((name) => render(subscriptionId, name, values.get(name) ?? [], uses)) });
  };

  const put = async (request: ArmRequest): Promise<ArmReply> => {
    const name = param(request, "tagName");
    if (!/^[^<>%&\\?/\p{Cc}]{1,512}$/u.test(name) || /^(microsoft|azure|windows)/i.test(name))
      throw errors.InvalidTagName(
        `The tag name '${name.slice(0, 100)}' is invalid: 1 to 512 characters without < > % & \\ ? /, and it does not begin with microsoft, azure or windows.`,
        { target: "tagName" },
      );
    const subscriptionId = param(request, "subscriptionId");
    const { resource, created } = await database.transaction(async (trx) => {
      const existing = await findResource<Offered>(trx, rowId(request));
      if (existing === undefined && (await listResources(trx, { subscriptionId, type })).length >= mostNames)
        throw armErrors.Conflict(`The subscription has ${mostNames} tag names already; delete one first.`);
      const draft = { id: rowId(request), properties: existing?.properties ?? { values: [] } };
      return putResource(trx, draft, { caller: request.caller, clock: database.clock });
    });
    const { values } = resource.properties as unknown as Offered;
    const body = render(subscriptionId, resource.name, values, await usesIn(database.kysely, subscriptionId));
    return { status: created ? 201 : 200, body };
  };

  const remove = async (request: ArmRequest): Promise<ArmReply> => {
    const found = await findResource<Offered>(database.kysely, rowId(request));
    if (found === undefined) return noContent();
    if (found.properties.values.length > 0)
      throw errors.TagNameInUse(
        `The tag name '${found.name}' still has values: ${found.properties.values.join(", ").slice(0, 500)}. Remove them first.`,
      );
    const uses = await usesIn(database.kysely, param(request, "subscriptionId"));
    if (uses.has(found.name)) throw errors.TagNameInUse(`The tag name '${found.name}' is on resources.`);
    await database.transaction((trx) => deleteResource(trx, found.id));
    return { status: 200 };
  };

  const changeValues = async (
    request: ArmRequest,
    change: (values: readonly string[]) => readonly string[],
  ): Promise<boolean> =>
    database.transaction(async (trx) => {
      const found = await findResource<Offered>(trx, rowId(request));
      if (found === undefined)
        throw errors.TagNameNotFound(
          `The tag name '${param(request, "tagName").slice(0, 100)}' is not there. Make it with: az tag create --name.`,
        );
      const values = change(found.properties.values);
      if (values.length > mostNames) throw armErrors.Conflict(`A tag name has at most ${mostNames} values.`);
      const by = { caller: request.caller, clock: database.clock };
      await putResource(trx, { id: found.id, properties: { values } }, by);
      return values.length !== found.properties.values.length;
    });

  const putValue = async (request: ArmRequest): Promise<ArmReply> => {
    const value = param(request, "tagValue");
    if (value.length > 256)
      throw errors.InvalidTagValue("A tag value has at most 256 characters.", { target: "tagValue" });
    const isNew = await changeValues(request, (values) => (values.includes(value) ? values : [...values, value]));
    const subscriptionId = param(request, "subscriptionId");
    const count = (await usesIn(database.kysely, subscriptionId)).get(param(request, "tagName"))?.get(value) ?? 0;
    return { status: isNew ? 201 : 200, body: renderValue(subscriptionId, param(request, "tagName"), value, count) };
  };

  const removeValue = async (request: ArmRequest): Promise<ArmReply> => {
    const value = param(request, "tagValue");
    const uses = await usesIn(database.kysely, param(request, "subscriptionId"));
    if ((uses.get(param(request, "tagName"))?.get(value) ?? 0) > 0)
      throw errors.TagValueInUse(`The tag value '${value.slice(0, 100)}' is on resources.`);
    return (await changeValues(request, (values) => values.filter((other) => other !== value)))
      ? { status: 200 }
      : noContent();
  };

  return [
    { method: "GET", path: collection, action: `${action}/read`, handle: list },
    { method: "PUT", path: one, action: `${action}/write`, handle: put },
    // A lock keeps resources; what is offered for their tags is none.
    { method: "DELETE", path: one, action: `${action}/delete`, effect: "write", handle: remove },
    { method: "PUT", path: oneValue, action: `${action}/tagValues/write`, handle: putValue },
    {
      method: "DELETE",
      path: oneValue,
      action: `${action}/tagValues/delete`,
      effect: "write",
      handle: removeValue,
    },
  ];
}

async function usesIn(reader: Reader, subscriptionId: string): Promise<Uses> {
  const uses = new Map<string, Map<string, number>>();
  for (const { envelope } of await listResources(reader, { subscriptionId })) {
    for (const [name, value] of Object.entries(envelope.tags ?? {})) {
      const values = uses.get(name) ?? new Map<string, number>();
      values.set(value, (values.get(value) ?? 0) + 1);
      uses.set(name, values);
    }
  }
  return uses;
}

function render(subscriptionId: string, tagName: string, offered: readonly string[], uses: Uses): object {
  const counts = uses.get(tagName) ?? new Map<string, number>();
  return {
    id: `/subscriptions/${subscriptionId}/tagNames/${tagName}`,
    tagName,
    count: { type: "Total", value: [...counts.values()].reduce((sum, count) => sum + count, 0) },
    values: [...new Set([...offered, ...counts.keys()])].map((value) =>
      renderValue(subscriptionId, tagName, value, counts.get(value) ?? 0),
    ),
  };
}

function renderValue(subscriptionId: string, tagName: string, tagValue: string, count: number): object {
  return {
    id: `/subscriptions/${subscriptionId}/tagNames/${tagName}/tagValues/${tagValue}`,
    tagValue,
    count: { type: "Total", value: count },
  };
}
