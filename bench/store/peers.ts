// borg, restic, qemu-img and casync, each doing the same with the same two disks: a full backup of A,
// an increment to B, a restore of B. Each has its own folder for everything it keeps.

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, linkSync, lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

export interface Figures {
  readonly seconds: number;
  /** What the repository grew by. */
  readonly bytes: number;
}

export interface PeerResult {
  readonly name: string;
  readonly version: string;
  readonly full?: Figures;
  readonly increment?: Figures;
  readonly restoreSeconds?: number;
}

interface Step {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

interface Peer {
  readonly name: string;
  readonly program: string;
  readonly version: readonly string[];
  prepare?(place: Place): Step;
  /** Backs up `disk`; a second time for the increment. */
  backup(place: Place, round: 1 | 2): Step;
  readonly hasIncrements: boolean;
  restore(place: Place): Step;
}

interface Place {
  readonly repository: string;
  readonly home: string;
  /** The disk, under the same name in both rounds. */
  readonly disk: string;
  readonly restored: string;
}

const borgEnv = (place: Place): Record<string, string> => ({
  BORG_BASE_DIR: place.home,
  BORG_PASSPHRASE: "benchmark",
  BORG_RELOCATED_REPO_ACCESS_IS_OK: "yes",
});
const resticEnv = (place: Place): Record<string, string> => ({
  RESTIC_PASSWORD: "benchmark",
  RESTIC_REPOSITORY: place.repository,
  RESTIC_CACHE_DIR: place.home,
});

const peers: readonly Peer[] = [
  {
    name: "borg, fixed 1 MiB chunks, zstd 1",
    program: "borg",
    version: ["--version"],
    prepare: (place) => ({
      program: "borg",
      args: ["init", "--encryption=repokey", place.repository],
      env: borgEnv(place),
    }),
    backup: (place, round) => ({
      program: "borg",
      args: [
        "create",
        "--chunker-params=fixed,1048576",
        "--compression=zstd,1",
        `${place.repository}::round${round}`,
        place.disk,
      ],
      env: borgEnv(place),
    }),
    hasIncrements: true,
    restore: (place) => ({
      program: "sh",
      args: [
        "-c",
        'borg extract --stdout "$1" >"$2" && exec sync "$2"',
        "sh",
        `${place.repository}::round2`,
        place.restored,
      ],
      env: borgEnv(place),
    }),
  },
  {
    name: "restic",
    program: "restic",
    version: ["version"],
    prepare: (place) => ({ program: "restic", args: ["init", "-q"], env: resticEnv(place) }),
    backup: (place) => ({ program: "restic", args: ["backup", "-q", place.disk], env: resticEnv(place) }),
    hasIncrements: true,
    restore: (place) => ({
      program: "sh",
      args: ["-c", 'restic dump latest "$1" >"$2" && exec sync "$2"', "sh", place.disk, place.restored],
      env: resticEnv(place),
    }),
  },
  {
    name: "qemu-img convert -c, zstd",
    program: "qemu-img",
    version: ["--version"],
    backup: (place) => ({
      program: "qemu-img",
      args: [
        ..."convert -c -f raw -O qcow2 -o compression_type=zstd".split(" "),
        place.disk,
        join(place.repository, "disk.qcow2"),
      ],
    }),
    hasIncrements: false,
    restore: (place) => ({
      program: "sh",
      args: [
        "-c",
        'qemu-img convert -f qcow2 -O raw "$1" "$2" && exec sync "$2"',
        "sh",
        join(place.repository, "disk.qcow2"),
        place.restored,
      ],
    }),
  },
  {
    name: "casync (no encryption)",
    program: "casync",
    version: ["--version"],
    backup: (place, round) => ({
      program: "casync",
      args: [
        "make",
        `--store=${join(place.repository, "chunks.castr")}`,
        join(place.repository, `round${round}.caibx`),
        place.disk,
      ],
    }),
    hasIncrements: true,
    restore: (place) => ({
      program: "casync",
      args: [
        "extract",
        `--store=${join(place.repository, "chunks.castr")}`,
        join(place.repository, "round2.caibx"),
        place.restored,
      ],
    }),
  },
];

export function measurePeers(full: string, then: string, work: string, only?: readonly string[]): PeerResult[] {
  return peers
    .filter(({ program }) => only === undefined || only.includes(program))
    .map((peer) => measurePeer(peer, full, then, join(work, peer.program)));
}

function measurePeer(peer: Peer, full: string, then: string, folder: string): PeerResult {
  const version = spawnSync(peer.program, [...peer.version], { encoding: "utf8" });
  if (version.error !== undefined) return { name: peer.name, version: "not installed" };
  const place: Place = {
    repository: join(folder, "repository"),
    home: join(folder, "home"),
    disk: join(folder, "disk.raw"),
    restored: join(folder, "restored.raw"),
  };
  mkdirSync(place.home, { recursive: true });
  mkdirSync(place.repository);
  if (peer.prepare !== undefined) run(peer.prepare(place));
  provide(full, place.disk);
  const start = sizeOf(place.repository);
  const fullSeconds = run(peer.backup(place, 1));
  const afterFull = sizeOf(place.repository);
  let increment: Figures | undefined;
  if (peer.hasIncrements) {
    provide(then, place.disk);
    const seconds = run(peer.backup(place, 2));
    increment = { seconds, bytes: sizeOf(place.repository) - afterFull };
  }
  const restoreSeconds = run(peer.restore(place));
  const expected = peer.hasIncrements ? then : full;
  run({ program: "cmp", args: [expected, place.restored] });
  rmSync(folder, { recursive: true });
  const [firstLine = ""] = `${version.stdout}${version.stderr}`.split("\n");
  return {
    name: peer.name,
    version: firstLine.replace(/^(restic \S+|qemu-img version \S+|borg \S+|casync \S+).*/, "$1"),
    full: { seconds: fullSeconds, bytes: afterFull - start },
    increment,
    restoreSeconds,
  };
}

/** Wall seconds. What was written before is on the disk already, so that nobody waits for another's writes. */
function run({ program, args, env }: Step): number {
  spawnSync("sync");
  const start = performance.now();
  const result = spawnSync(program, [...args], {
    encoding: "utf8",
    env: { ...process.env, ...env },
    maxBuffer: 2 ** 26,
  });
  const seconds = Math.round(performance.now() - start) / 1000;
  if (result.status === 0) return seconds;
  throw new Error(`${program} ${args.join(" ")} ended with ${result.status}: ${result.stderr.slice(-500)}`);
}

function provide(disk: string, place: string): void {
  rmSync(place, { force: true });
  try {
    linkSync(disk, place);
  } catch {
    copyFileSync(disk, place);
  }
}

function sizeOf(path: string): number {
  if (!existsSync(path)) return 0;
  const status = lstatSync(path);
  if (!status.isDirectory()) return status.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}
