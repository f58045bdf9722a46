// What is asked of a region about one machine: which vault protects it, whether it could be protected.

import * as z from "zod";
import type { Provider } from "../../../arm/provider.ts";
import { ok, parseBody, type ArmReply, type ArmRequest } from "../../../arm/request.ts";
import { findItemOfMachine } from "../../../backup/protection/item.ts";
import { itemNames } from "../../../backup/protection/names.ts";
import { findVault } from "../../../backup/vaults/vaults.ts";
import { mayDo } from "../may-do.ts";
import type { RecoveryServices } from "../services.ts";
import { apiVersions, locationPath, namespace } from "../vaults/vault-paths.ts";

/** Whether a machine is protected is for those who may see the machine. */
const readMachine = "Microsoft.Compute/virtualMachines/read";

export function backupStatusPart(services: RecoveryServices): Provider {
  return {
    namespace,
    resourceTypes: [{ name: "locations/backupStatus", apiVersions, isGlobal: true }],
    routes: [
      {
        method: "POST",
        path: `${locationPath}/backupStatus`,
        effect: "read",
        handle: (request) => status(services, request),
      },
      {
        method: "POST",
        path: `${locationPath}/backupPreValidateProtection`,
        effect: "read",
        handle: (request) => preValidate(services, request),
      },
      {
        method: "POST",
        path: `${locationPath}/backupValidateFeatures`,
        effect: "read",
        handle: async (request) => validateFeatures(request),
      },
    ],
  };
}

const question = z.object({
  resourceType: z.string().max(100).nullish(),
  resourceId: z.string().max(2048),
  vaultId: z.string().max(2048).nullish(),
});

async function status(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { resourceId } = parseBody(request, question);
  await mayDo(services, request, readMachine, resourceId);
  const { kysely } = services.database;
  const item = await findItemOfMachine(kysely, resourceId);
  const vault = item && (await findVault(kysely, item.vaultKey));
  if (item === undefined || vault === undefined) {
    // No vault is null, not an empty text: az prints what is not null, and scripts look whether it printed.
    return ok({ protectionStatus: "NotProtected", vaultId: null, errorCode: "Success", errorMessage: null });
  }
  const names = itemNames(item.machineId);
  return ok({
    protectionStatus: item.lastBackupStatus === "" && item.state === "IRPending" ? "Protecting" : "Protected",
    vaultId: vault.id,
    fabricName: "Azure",
    containerName: names.container,
    protectedItemName: names.item,
    errorCode: "Success",
    errorMessage: null,
    policyName: item.policyKey ?? "",
    registrationStatus: "Registered",
  });
}

async function preValidate(services: RecoveryServices, request: ArmRequest): Promise<ArmReply> {
  const { resourceId } = parseBody(request, question);
  await mayDo(services, request, readMachine, resourceId);
  const machine = await services.inventory.findMachine(resourceId);
  const item = await findItemOfMachine(services.database.kysely, resourceId);
  const names = itemNames(machine?.resourceId ?? resourceId);
  const failure =
    machine === undefined
      ? {
          errorCode: "UserErrorVmNotFoundV2",
          errorMessage: `There is no machine ${resourceId}.`,
          recommendation: "List the machines: az vm list.",
        }
      : item !== undefined
        ? {
            errorCode: "VirtualMachineAlreadyProtected",
            errorMessage: `The machine '${machine.name}' is protected already.`,
            recommendation: "Go on in the vault that protects it.",
          }
        : undefined;
  return ok({
    status: failure === undefined ? "Succeeded" : "Failed",
    errorCode: "Success",
    errorMessage: null,
    recommendation: null,
    ...failure,
    containerName: names.container,
    protectedItemName: names.item,
  });
}

const featureQuestion = z.object({ featureType: z.string().max(100).nullish() });

function validateFeatures(request: ArmRequest): ArmReply {
  const { featureType } = parseBody(request, featureQuestion);
  const isKnown = (featureType ?? "AzureVMResourceBackup").toLowerCase() === "azurevmresourcebackup";
  return ok({ supportStatus: isKnown ? "Supported" : "NotSupported" });
}
