// Microsoft.Compute. To add a type: a file with its route group, and an entry in the list here.

import type { Provider } from "../../arm/provider.ts";
import { disksAndSnapshots } from "./disks/routes.ts";
import { extensions } from "./extensions/routes.ts";
import { sizes } from "./virtual-machines/size-routes.ts";
import { namespace, type RouteGroup } from "./route-group.ts";
import { restorePointCollections } from "./restore-points/collections.ts";
import type { ComputeServices } from "./services.ts";
import { virtualMachines } from "./virtual-machines/routes.ts";

const groups: readonly ((services: ComputeServices) => RouteGroup)[] = [
  virtualMachines,
  extensions,
  sizes,
  disksAndSnapshots,
  restorePointCollections,
];

export function computeProvider(services: ComputeServices): Provider {
  const made = groups.map((group) => group(services));
  return {
    namespace,
    resourceTypes: made.flatMap(({ resourceTypes }) => resourceTypes),
    routes: made.flatMap(({ routes }) => routes),
    lifecycles: Object.assign({}, ...made.map(({ lifecycles }) => lifecycles)) as Provider["lifecycles"],
  };
}
