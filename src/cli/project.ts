import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that holds ./holdfast, whatever folder it is called from. */
export const projectRoot: string = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
