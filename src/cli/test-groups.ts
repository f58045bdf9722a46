// The groups of `./holdfast test --only GROUP`, and the Debian packages that each needs. One list.

export interface TestGroup {
  readonly name: string;
  readonly about: string;
  readonly files: readonly string[];
  readonly packages: readonly DebianPackage[];
  /** Files run one after another, beside those of one other group; else two at a time and beside nothing. */
  readonly serial?: boolean;
}

export interface DebianPackage {
  readonly name: string;
  /** A path (or pattern) that is there when the package is. */
  readonly shows: string;
}

const postgresql: DebianPackage = { name: "postgresql", shows: "/usr/lib/postgresql/*/bin/postgres" };
const qemuUtils: DebianPackage = { name: "qemu-utils", shows: "/usr/bin/qemu-nbd" };
const nbdTools: readonly DebianPackage[] = [
  qemuUtils,
  { name: "qemu-system-common", shows: "/usr/bin/qemu-storage-daemon" },
  { name: "libnbd-bin", shows: "/usr/bin/nbdcopy" },
  { name: "nbdkit", shows: "/usr/bin/nbdkit" },
  { name: "openssl", shows: "/usr/bin/openssl" },
];
const virsh: DebianPackage = { name: "libvirt-clients", shows: "/usr/bin/virsh" };
const guestTools: readonly DebianPackage[] = [
  qemuUtils,
  { name: "qemu-system-x86", shows: "/usr/bin/qemu-system-x86_64" },
  { name: "e2fsprogs", shows: "/usr/sbin/mke2fs" },
  { name: "gcc", shows: "/usr/bin/gcc" },
  { name: "libc6-dev", shows: "/usr/lib/x86_64-linux-gnu/libc.a" },
];
const libvirtTools: readonly DebianPackage[] = [
  virsh,
  { name: "libvirt-daemon", shows: "/usr/sbin/libvirtd" },
  {
    name: "libvirt-daemon-driver-qemu",
    shows: "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so",
  },
];
const ovmf: DebianPackage = { name: "ovmf", shows: "/usr/share/OVMF/OVMF_VARS_4M.fd" };
const azureCli: DebianPackage = { name: "azure-cli", shows: "/usr/bin/az" };

export const testGroups: readonly TestGroup[] = [
  {
    name: "unit",
    about: "what stands beside the source",
    files: ["src/**/*.test.ts"],
    packages: [postgresql, ...nbdTools, virsh],
  },
  {
    name: "wire",
    about: "hostile clients, start and end of a service",
    files: ["test/wire/**/*.test.ts"],
    packages: [postgresql],
  },
  {
    name: "crash",
    about: "kill -9 at any moment",
    files: ["test/crash/**/*.test.ts"],
    packages: [postgresql],
    serial: true,
  },
  {
    name: "restore",
    about: "restores of every kind, files, keys, the loss of a server",
    files: ["test/restore/**/*.test.ts"],
    packages: [azureCli, ...guestTools, ...nbdTools, ovmf, { name: "parted", shows: "/usr/sbin/parted" }],
    serial: true,
  },
  {
    name: "store",
    about: "the vault store: power cuts, kills, damage, fuzz, models",
    files: ["test/store/**/*.test.ts"],
    packages: [],
    serial: true,
  },
  {
    name: "services",
    about: "blobs, key vaults, logs and machines on a running service",
    files: [
      "test/storage/**/*.test.ts",
      "test/keyvault/**/*.test.ts",
      "test/logs/**/*.test.ts",
      "test/compute/**/*.test.ts",
      "test/disks/*.test.ts",
    ],
    packages: [azureCli, postgresql, ...guestTools, ...nbdTools],
    serial: true,
  },
  {
    name: "backup",
    about: "vaults at work: az, SDK, schedules through a year, crashes",
    files: ["test/backup/**/*.test.ts", "test/vaults/**/*.test.ts"],
    packages: [azureCli, ...guestTools, ...nbdTools],
    serial: true,
  },
  {
    name: "access",
    about: "every route and every built-in role",
    files: ["test/access/**/*.test.ts"],
    packages: [],
    serial: true,
  },
  {
    name: "sdk",
    about: "Microsoft's JavaScript SDKs against a running service",
    files: ["test/sdk/**/*.test.ts"],
    packages: [],
    serial: true,
  },
  {
    name: "guests",
    about: "real QEMU guests: snapshots, freeze, failures",
    files: ["test/guests/**/*.test.ts", "test/disks/guest/**/*.test.ts"],
    packages: [
      ...guestTools,
      ...libvirtTools,
      ovmf,
      postgresql,
      { name: "mariadb-server", shows: "/usr/sbin/mariadbd" },
      { name: "mmdebstrap", shows: "/usr/bin/mmdebstrap" },
    ],
    serial: true,
  },
  {
    name: "demo",
    about: "./holdfast up --demo, with a guest and without",
    files: ["test/demo/**/*.test.ts"],
    packages: [...guestTools, ...nbdTools],
    serial: true,
  },
  {
    name: "az",
    about: "Debian's az against a running service",
    files: ["test/az/**/*.test.ts"],
    packages: [azureCli],
    serial: true,
  },
  {
    name: "docs",
    about: "the commands of the README and the manual",
    files: ["test/docs/**/*.test.ts"],
    packages: [azureCli],
    serial: true,
  },
];
