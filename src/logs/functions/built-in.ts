// The functions that every workspace has.

import type { FunctionSchema } from "../../kql/index.ts";
import { azureBackupFunctions } from "./azure-backup.ts";
import { logOperation } from "./log-operation.ts";

export const builtInFunctions: readonly FunctionSchema[] = [...azureBackupFunctions, logOperation];
