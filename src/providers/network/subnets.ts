// Subnets: parts of a virtual network with routes of their own.

import { z } from "zod";
import { armErrors } from "../../arm/errors.ts";
import { noContent, ok, param, parseBody, type ArmReply, type ArmRequest, type Draft } from "../../arm/request.ts";
import { parseResourceId } from "../../arm/resource-id.ts";
import { getResource, putResource, resourceNotFound } from "../../arm/resources/resource-store.ts";
import type { Resource } from "../../arm/resources/resource.ts";
import type { Route } from "../../arm/routes.ts";
import { children, namespace, type NetworkServices } from "./network-types.ts";

const network = `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroup}/providers/${namespace}/virtualNetworks/{network}`;
const one = `${network}/subnets/{subnet}`;

interface Subnet {
  readonly id: string;
  readonly name: string;
}

const bodySchema = z.looseObject({ properties: z.record(z.string(), z.unknown()).default({}) });

export function subnetRoutes(services: NetworkServices): Route[] {
  const { database } = services;
  const networkOf = (request: ArmRequest): Promise<Resource> =>
    getResource(
      database.kysely,
      request.params["subnet"] === undefined ? request.resourceId : parseResourceId(request.resourceId).parent,
    );

  const change = async (
    request: ArmRequest,
    of: (subnets: readonly Subnet[], networkId: string) => Subnet[],
  ): Promise<Subnet[]> =>
    database.transaction(async (trx) => {
      const found = await getResource(trx, parseResourceId(request.resourceId).parent);
      const subnets = of(subnetsOf(found), found.id);
      await putResource(
        trx,
        { ...found, properties: { ...found.properties, subnets }, tracked: true },
        { caller: request.caller, clock: database.clock },
      );
      return subnets;
    });

  const asked = (draft: Draft) => {
    const name = param(draft, "subnet");
    if (!/^[A-Za-z0-9]([A-Za-z0-9._-]{0,78}[A-Za-z0-9_])?$/.test(name))
      throw armErrors.InvalidResourceName(`The subnet name '${name.slice(0, 100)}' is invalid.`, { target: "name" });
    return { name, properties: parseBody(draft, bodySchema).properties };
  };

  const put = async (request: ArmRequest): Promise<ArmReply> => {
    const { name, properties } = asked(request);
    let isNew = true;
    const subnets = await change(request, (before, networkId) => {
      const others = before.filter((subnet) => !isNamed(subnet, name));
      isNew = others.length === before.length;
      return [...others, ...(children(networkId, "subnets", [{ name, properties }]) as unknown as Subnet[])];
    });
    return { status: isNew ? 201 : 200, body: subnets.at(-1) };
  };

  return [
    {
      method: "GET",
      path: `${network}/subnets`,
      handle: async (request) => ok({ value: subnetsOf(await networkOf(request)) }),
    },
    {
      method: "GET",
      path: one,
      handle: async (request) => {
        const subnet = subnetsOf(await networkOf(request)).find((known) => isNamed(known, param(request, "subnet")));
        if (subnet === undefined) throw resourceNotFound(request.resourceId);
        return ok(subnet);
      },
    },
    { method: "PUT", path: one, handle: put, check: asked },
    {
      method: "DELETE",
      path: one,
      handle: async (request) => {
        let wasThere = false;
        await change(request, (before) => {
          const others = before.filter((subnet) => !isNamed(subnet, param(request, "subnet")));
          wasThere = others.length < before.length;
          return others;
        });
        return wasThere ? { status: 200 } : noContent();
      },
    },
  ];
}

function subnetsOf(resource: Resource): Subnet[] {
  const subnets = resource.properties["subnets"];
  return Array.isArray(subnets) ? (subnets as Subnet[]) : [];
}

function isNamed({ name }: Subnet, wanted: string): boolean {
  return name.toLowerCase() === wanted.toLowerCase();
}
