// Tenants, subscriptions and locations. A caller sees the subscriptions in which it may do anything.

import { armErrors } from "../../arm/errors.ts";
import { ok, param, type ArmRequest } from "../../arm/request.ts";
import { subscriptionScope } from "../../arm/resource-id.ts";
import type { Route } from "../../arm/routes.ts";
import {
  findSubscription,
  listSubscriptions,
  listTenants,
  type Subscription,
  type Tenant,
} from "../../identity/directory/tenants.ts";
import type { Services } from "../services.ts";

export function subscriptionRoutes(services: Services): Route[] {
  const { database, access, locations } = services;

  const ownTenants = async (request: ArmRequest): Promise<Tenant[]> =>
    (await listTenants(database.kysely)).filter(({ id }) => id === request.caller.tenantId);

  const visible = async (request: ArmRequest): Promise<Subscription[]> => {
    const grants = await access.grantsOf(request.caller.principalId);
    const all = await listSubscriptions(database.kysely);
    return all.filter(({ id, tenantId }) => {
      const scope = subscriptionScope(id);
      const isIn = (granted: string): boolean => granted === "" || granted === scope || granted.startsWith(`${scope}/`);
      return tenantId === request.caller.tenantId && grants.scopes.some(isIn);
    });
  };

  return [
    {
      method: "GET",
      path: "/tenants",
      action: "",
      handle: async (request) => ok({ value: (await ownTenants(request)).map(renderTenant) }),
    },
    {
      method: "GET",
      path: "/subscriptions",
      action: "",
      handle: async (request) => ok({ value: (await visible(request)).map(render) }),
    },
    {
      method: "GET",
      path: "/subscriptions/{subscriptionId}",
      action: "Microsoft.Resources/subscriptions/read",
      handle: async (request) => {
        const found = await findSubscription(database.kysely, param(request, "subscriptionId"));
        if (found === undefined)
          throw armErrors.SubscriptionNotFound(
            `The subscription '${param(request, "subscriptionId")}' could not be found.`,
          );
        return ok(render(found));
      },
    },
    {
      method: "GET",
      path: "/subscriptions/{subscriptionId}/locations",
      action: "Microsoft.Resources/subscriptions/locations/read",
      handle: async (request) =>
        ok({
          value: locations.all.map(({ name, displayName, pairedWith }) => ({
            id: `${subscriptionScope(param(request, "subscriptionId"))}/locations/${name}`,
            name,
            type: "Region",
            displayName,
            regionalDisplayName: displayName,
            metadata: {
              regionType: "Physical",
              regionCategory: "Recommended",
              pairedRegion:
                pairedWith === undefined
                  ? []
                  : [
                      {
                        name: pairedWith,
                        id: `${subscriptionScope(param(request, "subscriptionId"))}/locations/${pairedWith}`,
                      },
                    ],
            },
          })),
        }),
    },
  ];
}

function render(subscription: Subscription): Record<string, unknown> {
  return {
    id: subscriptionScope(subscription.id),
    authorizationSource: "RoleBased",
    managedByTenants: [],
    subscriptionId: subscription.id,
    tenantId: subscription.tenantId,
    displayName: subscription.displayName,
    state: "Enabled",
    subscriptionPolicies: {
      locationPlacementId: "Public_2014-09-01",
      quotaId: "PayAsYouGo_2014-09-01",
      spendingLimit: "Off",
    },
  };
}

function renderTenant(tenant: Tenant): Record<string, unknown> {
  return {
    id: `/tenants/${tenant.id}`,
    tenantId: tenant.id,
    countryCode: "",
    displayName: tenant.displayName,
    domains: [tenant.defaultDomain],
    defaultDomain: tenant.defaultDomain,
    tenantCategory: "Home",
    tenantType: "AAD",
  };
}
