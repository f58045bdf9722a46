// A thousand machines that answer as QEMU's monitor does, in a process of their own.
//   node bench/hosts/monitors.ts FOLDER COUNT

import { startFakeMonitor } from "../../src/inventory/testing/fake-monitor.ts";

const [folder = "", count = "1000"] = process.argv.slice(2);
for (let number = 0; number < Number(count); number += 1) {
  const uuid = `22222222-2222-4222-8222-${String(number).padStart(12, "0")}`;
  await startFakeMonitor(folder, `machine-${number}`, uuid);
}
process.stdout.write("ready\n");
