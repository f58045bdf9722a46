// What clients ask of a subscription before they make an account: how many there are, of which kinds there
// can be, and which could be had back (none: what is deleted is gone).

import { ok, param, type ArmRequest } from "../../arm/request.ts";
import { listResources } from "../../arm/resources/resource-store.ts";
import type { Route } from "../../arm/routes.ts";
import type { StorageServices } from "./services.ts";

const base = "/subscriptions/{subscriptionId}/providers/Microsoft.Storage";
/** Azure's; nothing here counts it. */
const accountsInLocation = 250;

const skuNames = [
  "Standard_LRS",
  "Standard_GRS",
  "Standard_RAGRS",
  "Standard_ZRS",
  "Standard_GZRS",
  "Standard_RAGZRS",
  "Premium_LRS",
  "Premium_ZRS",
] as const;

export function accountListRoutes({ database, locations }: StorageServices): Route[] {
  const usages = async (request: ArmRequest) => {
    const location = locations.canonical(param(request, "location"));
    const accounts = await listResources(database.kysely, {
      subscriptionId: param(request, "subscriptionId"),
      type: "Microsoft.Storage/storageAccounts",
    });
    const name = { value: "StorageAccounts", localizedValue: "Storage Accounts" };
    const currentValue = accounts.filter((account) => account.location === location).length;
    return ok({ value: [{ unit: "Count", currentValue, limit: accountsInLocation, name }] });
  };
  const skus = async () =>
    ok({
      value: skuNames.map((name) => ({
        resourceType: "storageAccounts",
        name,
        tier: name.startsWith("Premium") ? "Premium" : "Standard",
        kind: "StorageV2",
        locations: locations.all.map((location) => location.name),
        capabilities: [],
        restrictions: [],
      })),
    });
  return [
    { method: "GET", path: `${base}/locations/{location}/usages`, handle: usages },
    { method: "GET", path: `${base}/skus`, handle: skus },
    { method: "GET", path: `${base}/deletedAccounts`, handle: async () => ok({ value: [] }) },
  ];
}
