// Microsoft.Features: switches of a subscription. Registering one is at once; nothing here hides
// behind a flag, but scripts that register features go on working.

import { armErrors } from "../../arm/errors.ts";
import type { Provider } from "../../arm/provider.ts";
import { ok, param, type ArmReply, type ArmRequest } from "../../arm/request.ts";
import { registrationStates, setRegistrationState, type Registration } from "../../arm/registrations.ts";
import type { Services } from "../services.ts";

const namespace = "Microsoft.Features";
const all = `/subscriptions/{subscriptionId}/providers/${namespace}/features`;
const ofProvider = `/subscriptions/{subscriptionId}/providers/${namespace}/providers/{providerNamespace}/features`;
const one = `${ofProvider}/{feature}`;

export function featuresProvider({ database }: Services): Provider {
  const find = async (request: ArmRequest): Promise<Registration> => {
    const states = await registrationStates(database.kysely, param(request, "subscriptionId"));
    const name = `${param(request, "providerNamespace")}/${param(request, "feature")}`;
    return states.get(name.toLowerCase()) ?? { name, state: "NotRegistered" };
  };

  const read = async (request: ArmRequest): Promise<ArmReply> => {
    return ok(render(request, await find(request)));
  };

  const list = async (request: ArmRequest): Promise<ArmReply> => {
    const states = await registrationStates(database.kysely, param(request, "subscriptionId"));
    const wanted = request.params["providerNamespace"]?.toLowerCase();
    const isFeature = (key: string): boolean =>
      key.includes("/") && (wanted === undefined || key.startsWith(`${wanted}/`));
    const found = [...states].filter(([key]) => isFeature(key)).map(([, registration]) => registration);
    return ok({ value: found.map((registration) => render(request, registration)) });
  };

  const change = async (request: ArmRequest, state: string): Promise<ArmReply> => {
    const [provider, feature] = [param(request, "providerNamespace"), param(request, "feature")];
    if (!/^[\w.-]{1,128}$/.test(feature) || !/^[\w.]{1,128}$/.test(provider)) {
      throw armErrors.InvalidParameter(
        `'${provider}/${feature}' is not a feature name: letters, digits, '.', '-' and '_', at most 128.`,
        { target: "featureName" },
      );
    }
    const subscriptionId = param(request, "subscriptionId");
    await database.transaction((trx) =>
      setRegistrationState(trx, database.clock, subscriptionId, `${provider}/${feature}`, state),
    );
    return ok(render(request, await find(request)));
  };

  return {
    namespace,
    resourceTypes: [
      { name: "features", apiVersions: ["2021-07-01", "2015-12-01"], isGlobal: true },
      { name: "providers", apiVersions: ["2021-07-01", "2015-12-01"], isGlobal: true },
    ],
    routes: [
      { method: "GET", path: all, action: `${namespace}/features/read`, handle: list },
      { method: "GET", path: ofProvider, action: `${namespace}/providers/features/read`, handle: list },
      { method: "GET", path: one, action: `${namespace}/providers/features/read`, handle: read },
      {
        method: "POST",
        path: `${one}/register`,
        action: `${namespace}/providers/features/register/action`,
        handle: (request) => change(request, "Registered"),
      },
      {
        method: "POST",
        path: `${one}/unregister`,
        action: `${namespace}/providers/features/unregister/action`,
        handle: (request) => change(request, "Unregistered"),
      },
    ],
  };
}

function render(request: ArmRequest, { name, state }: Registration): Record<string, unknown> {
  const [provider, feature] = name.split("/");
  return {
    id: `/subscriptions/${param(request, "subscriptionId")}/providers/${namespace}/providers/${provider}/features/${feature}`,
    name,
    type: "Microsoft.Features/providers/features",
    properties: { state },
  };
}
