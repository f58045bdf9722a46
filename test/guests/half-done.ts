// Opens a snapshot of the machine in a folder and waits to be killed. Prints "open" when it is; a
// fault point may kill it before that.
//   node half-done.ts FOLDER MACHINE

import { openQemuHost } from "../../src/hosts/qemu/host.ts";

const [, , socketFolder = "", machineId = ""] = process.argv;
const host = openQemuHost({ socketFolder });
await host.snapshot(machineId, { consistency: "fileSystem", chain: "killed", point: "one" });
process.stdout.write("open\n");
await new Promise(() => setInterval(() => {}, 1000));
