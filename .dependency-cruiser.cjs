// The arrows of docs/architecture.md: who may import whom. Nothing points back.

const mayImport = {
  lib: [],
  db: ["lib"],
  events: ["db", "lib"],
  nbd: ["lib"],
  store: ["nbd", "lib"],
  guest: ["lib"],
  hosts: ["nbd", "guest", "lib"],
  kql: ["lib"],
  identity: ["db", "events", "lib"],
  keys: ["db", "lib"],
  blobs: ["db", "lib"],
  arm: ["identity", "events", "db", "lib"],
  logs: ["kql", "events", "db", "lib"],
  monitor: ["events", "logs", "db", "lib"],
  backup: ["hosts", "store", "keys", "events", "db", "lib"],
  providers: ["arm", "backup", "monitor", "logs", "keys", "blobs", "hosts", "guest", "store", "identity", "events", "db", "lib"],
  server: [
    "providers",
    "arm",
    "identity",
    "backup",
    "monitor",
    "logs",
    "keys",
    "blobs",
    "hosts",
    "store",
    "events",
    "db",
    "lib",
  ],
  cli: ["server", "store", "kql", "nbd", "db", "lib"],
};

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } } },
    { name: "no-orphan-package", severity: "error", from: {}, to: { couldNotResolve: true } },
    {
      name: "no-test-in-product",
      severity: "error",
      from: { path: "^src/", pathNot: "\\.test\\.ts$|/testing/" },
      to: { path: "^test/|\\.test\\.ts$|/testing/" },
    },
    {
      name: "disk-and-processes-only-in-lib",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/lib/|\\.test\\.ts$|/testing/" },
      to: { dependencyTypes: ["core"], path: "^(node:)?(fs|fs/promises|child_process)$" },
    },
    ...Object.entries(mayImport).map(([folder, targets]) => ({
      name: `${folder}-imports`,
      comment: `${folder}/ may import only: ${targets.join(", ") || "nothing of ours"}`,
      severity: "error",
      from: { path: `^src/${folder}/`, pathNot: "\\.test\\.ts$|/testing/" },
      to: { path: "^src/", pathNot: `^src/(${[folder, ...targets].join("|")})/` },
    })),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    parser: "tsc",
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: [".ts", ".tsx", ".js", ".json"],
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default"],
    },
  },
};
