// One capture in a process of its own, for tests that kill it: FOLDER STORE KEY(hex)

import { join } from "node:path";
import { openImagesHost } from "../../../hosts/images/host.ts";
import { openFsStore } from "../../../store/backends/fs.ts";
import { keyFromBytes, openVault } from "../../../store/index.ts";
import { captureMachine } from "../capture-machine.ts";

const [folder = "", store = "", key = ""] = process.argv.slice(2);
const host = openImagesHost({ folder: join(folder, "machines"), scratchFolder: join(folder, "scratch") });
const machineId = (await host.listMachines())[0]?.id ?? "";
await using place = await openFsStore(store, { trustFileSystem: true });
await using vault = await openVault(place, keyFromBytes(Buffer.from(key, "hex")), { workers: 1 });
await captureMachine({ host, machineId, vault, item: "web", chain: "vault-1", consistency: "crash" });
