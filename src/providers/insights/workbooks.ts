// Microsoft.Insights/workbooks: documents of text, parameters and queries that a portal draws. The
// service keeps them; who draws one asks the logs for what its queries say.

import { z } from "zod";
import { armErrors } from "../../arm/errors.ts";
import type { Provider } from "../../arm/provider.ts";
import { trackedRoutes, type TrackedType } from "../../arm/resources/tracked-routes.ts";
import { isoTime } from "../../lib/clock.ts";
import { newGuid } from "../../lib/random.ts";
import type { Services } from "../services.ts";

const largestDocument = 1024 * 1024;

const propertiesSchema = z.looseObject({
  displayName: z.string().min(1).max(256),
  serializedData: z.string().max(largestDocument).refine(isNotebook, "must be the JSON of a workbook (Notebook/1.0)"),
  category: z.string().min(1).max(64).default("workbook"),
  description: z.string().max(4096).nullish(),
  sourceId: z.string().max(1024).nullish(),
  version: z.string().max(64).default("Notebook/1.0"),
  tags: z.array(z.string()).nullish(),
});

export function workbooksProvider(services: Services): Provider {
  const { database } = services;
  const type: TrackedType<z.output<typeof propertiesSchema>> = {
    namespace: "Microsoft.Insights",
    type: "workbooks",
    properties: propertiesSchema,
    checkName: (name) => {
      if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(name)) return;
      throw armErrors.InvalidResourceName(
        `The workbook name '${name.slice(0, 300)}' is invalid: workbooks are named by a GUID; what people see is properties.displayName.`,
        { target: "name" },
      );
    },
    settle: async ({ properties, envelope, caller }) => ({
      properties: {
        ...properties,
        revision: newGuid().replaceAll("-", ""),
        timeModified: isoTime(database.clock.now()),
        userId: caller.principalId,
      },
      envelope: { ...envelope, kind: envelope.kind ?? "shared" },
    }),
  };
  return {
    namespace: type.namespace,
    resourceTypes: [
      {
        name: type.type,
        apiVersions: ["2023-06-01", "2022-04-01", "2021-08-01", "2021-03-08", "2020-10-20"],
        capabilities: "SupportsTags, SupportsLocation",
      },
    ],
    routes: trackedRoutes(services, type),
    lifecycles: { [type.type]: {} },
  };
}

function isNotebook(text: string): boolean {
  try {
    return z.looseObject({ items: z.array(z.looseObject({ type: z.number() })) }).safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
}
