// Firewalls of resources, as the properties of several types have them. Networks are not told apart here,
// so a resource that is to be closed to some of them is refused: it would stand open to all, and its owner
// would not know.

import { z } from "zod";

const why = "networks are not told apart here: let roles and keys say who may reach it";

export const openAccess = z
  .string()
  .regex(/^enabled$/i, `must be Enabled: ${why}`)
  .nullish();

export const openNetwork = {
  publicNetworkAccess: openAccess,
  networkAcls: z
    .looseObject({
      defaultAction: z
        .string()
        .regex(/^allow$/i, `must be Allow: ${why}`)
        .nullish(),
    })
    .nullish(),
};
