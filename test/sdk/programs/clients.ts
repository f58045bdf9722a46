// What every SDK program needs: the credential and where the service is.

import { ClientSecretCredential } from "@azure/identity";

export const endpoint = setting("ENDPOINT");
export const subscriptionId = setting("SUBSCRIPTION_ID");

export const credential = new ClientSecretCredential(
  setting("TENANT_ID"),
  setting("CLIENT_ID"),
  setting("CLIENT_SECRET"),
  {
    authorityHost: endpoint,
    disableInstanceDiscovery: true,
  },
);

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}
