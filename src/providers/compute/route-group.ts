// Microsoft.Compute is put together from groups of routes, each with the types that it serves.

import type { Provider } from "../../arm/provider.ts";

export type RouteGroup = Pick<Provider, "resourceTypes" | "routes" | "lifecycles">;

export const namespace = "Microsoft.Compute";

/** What clients discover; any version of the known range is served alike. */
export const machineApiVersions = ["2026-04-01", "2024-11-01", "2023-09-01", "2022-11-01", "2022-08-01", "2020-06-01"];
