// What an action group holds: whom to tell, by which way. A receiver's name is unique in its group,
// whatever its kind.

import { z } from "zod";

const name = z.string().min(1).max(128);
const useCommonAlertSchema = z
  .boolean()
  .nullish()
  .transform((asked) => asked ?? false);
const text = z.string().min(1).max(2048);
const managedIdentity = z.string().nullish();
const phone = {
  countryCode: z.string().regex(/^\d{1,4}$/, "must be a country's code such as 1 or 49"),
  phoneNumber: z.string().regex(/^[\d\s-]{4,20}$/, "must be a phone number without the country's code"),
};
const emailAddress = z
  .string()
  .max(254)
  .regex(/^[^\s@]+@[^\s@]+$/, "must be a mail address");
const webAddress = z
  .string()
  .max(2048)
  .regex(/^https?:\/\/[^\s/]+/i, "must begin with https:// or http://");
const guid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, "must be a GUID");

/** Of those who can refuse: `Disabled` is what they make of it themselves, by a link in what they are sent. */
const status = z
  .unknown()
  .nullish()
  .transform((): "Enabled" => "Enabled");

const receivers = {
  emailReceivers: z.object({ name, emailAddress, useCommonAlertSchema, status }),
  smsReceivers: z.object({ name, ...phone, status }),
  webhookReceivers: z.object({
    name,
    serviceUri: webAddress,
    useCommonAlertSchema,
    useAadAuth: z
      .boolean()
      .nullish()
      .transform((asked) => asked ?? false),
    objectId: z.string().nullish(),
    identifierUri: z.string().nullish(),
    tenantId: z.string().nullish(),
    managedIdentity,
  }),
  itsmReceivers: z.object({ name, workspaceId: text, connectionId: text, ticketConfiguration: text, region: text }),
  azureAppPushReceivers: z.object({ name, emailAddress }),
  automationRunbookReceivers: z.object({
    name: name.nullish(),
    automationAccountId: text,
    runbookName: text,
    webhookResourceId: text,
    isGlobalRunbook: z.boolean(),
    serviceUri: z.string().nullish(),
    useCommonAlertSchema,
    managedIdentity,
  }),
  voiceReceivers: z.object({ name, ...phone }),
  logicAppReceivers: z.object({
    name,
    resourceId: text,
    callbackUrl: webAddress,
    useCommonAlertSchema,
    managedIdentity,
  }),
  azureFunctionReceivers: z.object({
    name,
    functionAppResourceId: text,
    functionName: text,
    httpTriggerUrl: webAddress,
    useCommonAlertSchema,
    managedIdentity,
  }),
  armRoleReceivers: z.object({ name, roleId: guid, useCommonAlertSchema }),
  eventHubReceivers: z.object({
    name,
    eventHubNameSpace: text,
    eventHubName: text,
    useCommonAlertSchema,
    tenantId: z.string().nullish(),
    subscriptionId: text,
    managedIdentity,
  }),
};

type Kind = keyof typeof receivers;
const kinds = Object.keys(receivers) as Kind[];
const mostOfAKind = 1000;

function listOf<Schema extends z.ZodType>(schema: Schema) {
  return z
    .array(schema)
    .max(mostOfAKind)
    .nullish()
    .transform((list) => list ?? []);
}

export const actionGroupProperties = z
  .object({
    groupShortName: z.string().min(1, "must not be empty").max(12, "must have at most 12 characters"),
    enabled: z
      .boolean()
      .nullish()
      .transform((asked) => asked ?? true),
    emailReceivers: listOf(receivers.emailReceivers),
    smsReceivers: listOf(receivers.smsReceivers),
    webhookReceivers: listOf(receivers.webhookReceivers),
    itsmReceivers: listOf(receivers.itsmReceivers),
    azureAppPushReceivers: listOf(receivers.azureAppPushReceivers),
    automationRunbookReceivers: listOf(receivers.automationRunbookReceivers),
    voiceReceivers: listOf(receivers.voiceReceivers),
    logicAppReceivers: listOf(receivers.logicAppReceivers),
    azureFunctionReceivers: listOf(receivers.azureFunctionReceivers),
    armRoleReceivers: listOf(receivers.armRoleReceivers),
    eventHubReceivers: listOf(receivers.eventHubReceivers),
  })
  .superRefine((group, context) => {
    const seen = new Set<string>();
    for (const kind of kinds)
      for (const [index, receiver] of group[kind].entries()) {
        const key = (receiver.name ?? "").toLowerCase();
        if (key !== "" && seen.has(key))
          context.addIssue({
            code: "custom",
            path: [kind, index, "name"],
            message: `is the name of another receiver of the group too`,
          });
        seen.add(key);
      }
  });

export type ActionGroup = z.output<typeof actionGroupProperties>;
