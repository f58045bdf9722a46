// One capture of the guest behind FOLDER in a process of its own, for tests that kill it: FOLDER STORE KEY(hex)

import { captureMachine } from "../../../src/backup/capture/index.ts";
import { openQemuHost } from "../../../src/hosts/qemu/host.ts";
import { openFsStore } from "../../../src/store/backends/fs.ts";
import { keyFromBytes, openVault } from "../../../src/store/index.ts";

const [folder = "", store = "", key = ""] = process.argv.slice(2);
const host = openQemuHost({ socketFolder: folder });
const machineId = (await host.listMachines())[0]?.id ?? "";
await using place = await openFsStore(store);
await using vault = await openVault(place, keyFromBytes(Buffer.from(key, "hex")));
await captureMachine({ host, machineId, vault, item: "load", chain: "chain-load", consistency: "fileSystem" });
