// Beyond Azure, below `providers/Microsoft.Holdfast` of a vault: attaching a store that another server
// made, and a recovery key by which somebody without this server opens it.

import * as z from "zod";
import type { Provider } from "../../../arm/provider.ts";
import { ok, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { attachVault } from "../../../backup/attach/attach-vault.ts";
import { attachErrors } from "../../../backup/attach/errors.ts";
import { storeCredential, storeLocation } from "../../../backup/stores/location.ts";
import { vaultStore } from "../../../backup/stores/store-name.ts";
import { keyFromBytes, parseRecoveryKey, type KeyProvider } from "../../../store/index.ts";
import type { InProcessClient } from "../../resources/deployments/in-process-client.ts";
import type { RecoveryServices } from "../services.ts";
import { bringVaultBack } from "./vault-document.ts";
import { doerOf, namespace, vaultOf, vaultPath } from "./vault-paths.ts";
import { mayWriteAt } from "./vault-settings.ts";

const below = `${vaultPath}/providers/Microsoft.Holdfast`;
/** Whoever may write a vault may say what is in it. */
const action = "Microsoft.RecoveryServices/vaults/write";

export interface AttachServices extends RecoveryServices {
  readonly inProcess: InProcessClient;
}

export function attachPart(services: AttachServices): Provider {
  return {
    namespace,
    resourceTypes: [],
    routes: [
      { method: "POST", action, path: `${below}/attach`, handle: (request) => attach(services, request) },
      { method: "POST", action, path: `${below}/recoveryKey`, handle: (request) => recoveryKey(services, request) },
    ],
  };
}

const body = z.object({
  location: storeLocation,
  credential: storeCredential.optional(),
  /** Base64 of the platform key's file; or the recovery key as it was printed. */
  key: z.string().max(1000).optional(),
  recoveryKey: z.string().max(1000).optional(),
});

async function attach(services: AttachServices, request: ArmRequest): Promise<ArmReply> {
  const { location, credential, ...keys } = parseBody(request, body);
  await mayWriteAt(services, request, location);
  const vault = await vaultOf(services.database.kysely, request);
  const { document, problems, ...attached } = await attachVault(
    services.database,
    services.stores,
    {
      vault,
      draft: { location, ...(credential === undefined ? {} : { credential }) },
      opener: openerOf(keys),
      by: doerOf(request),
    },
    request.signal,
  );
  const back =
    document === undefined
      ? { settings: [], problems: [] }
      : await bringVaultBack(services.inProcess, request, vault, document);
  return ok({ ...attached, settings: back.settings, problems: [...problems, ...back.problems] });
}

function openerOf({ key, recoveryKey: printed }: { key?: string; recoveryKey?: string }): KeyProvider {
  if (printed !== undefined) return keyFromBytes(parseRecoveryKey(printed), "recovery");
  const bytes = Buffer.from(key ?? "", "base64");
  if (bytes.length === 32) return keyFromBytes(bytes);
  throw attachErrors.KeyInvalid(`'key' has ${bytes.length} bytes.`, { target: "key" });
}

async function recoveryKey({ database, stores }: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const vault = await vaultOf(database.kysely, request);
  return ok({ recoveryKey: await stores.addRecoveryKey(vaultStore(vault.guid), request.signal) });
}
