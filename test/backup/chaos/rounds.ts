// What is under way when the service is killed, and where.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { withDeadline } from "../../../src/lib/time.ts";
import type { TestService } from "../../support/service.ts";
import type { WirePoint } from "../rig.ts";
import { ageTiers } from "./tiers.ts";
import { pointsOf, settled, sha256, type World } from "./world.ts";

export interface Round {
  readonly faults: readonly string[];
  /** Before the service starts. */
  prepare(world: World): void | Promise<void>;
  /** Begins it at a service that is about to die, and comes back when it is over without a death. */
  begin(world: World, service: TestService, scene: Scene): Promise<void>;
  /** At the service that was started again, when every job has ended. */
  finish?(world: World, service: TestService, scene: Scene): Promise<void>;
}

export interface Scene {
  readonly number: number;
  /** SHA-256 of each disk, by the names of the points. */
  readonly contents: ReadonlyMap<string, readonly string[]>;
}

const hour = 3600;

const storeArrows = [
  "store.after-open",
  "store.after-pack",
  "store.after-index",
  "store.before-end",
  "store.after-end",
  "store.after-point",
];

export const rounds: Readonly<Record<string, Round>> = {
  backup: {
    faults: [
      "job.taken-up",
      "capture.snapshot-open",
      "capture.before-point",
      "capture.after-point",
      "capture.after-marks",
      "backup.after-capture",
      "backup.point-recorded",
      "backup.before-transfer",
      "backup.transferred",
      "job.before-end",
      "job.after-end",
      ...storeArrows,
    ],
    prepare: (world) => {
      world.advance(26 * hour);
      world.changeDisks();
    },
    begin: async (world, service) => {
      // It has expired when the next round prunes.
      const recoveryPointExpiryTimeInUTC = new Date(world.now() + 20 * hour * 1000).toISOString();
      await world.vault(service, "POST", `${world.item}/backup`, {
        properties: { objectType: "IaasVMBackupRequest", recoveryPointExpiryTimeInUTC },
      });
      await settled(world, service);
    },
  },
  restore: {
    faults: ["job.taken-up", "restore.disk-written", "restore.after-transfer", "job.before-end", "job.after-end"],
    prepare: (world) => world.advance(60),
    begin: async (world, service, scene) => {
      const point = chosen(await pointsOf(world, service), scene);
      const answer = await world.vault(service, "POST", `${world.item}/recoveryPoints/${point}/restore`, {
        properties: {
          objectType: "IaasVMRestoreRequest",
          recoveryType: "RestoreDisks",
          holdfast: { folder: world.restores, format: "raw" },
        },
      });
      assert.equal(answer.status, 202, answer.text);
      await settled(world, service);
    },
    finish: async (world, service, scene) => {
      const point = chosen(await pointsOf(world, service), scene);
      const files = readdirSync(world.restores).sort();
      const [config, ...images] = files;
      assert.match(config ?? "", /^config-vm1-/);
      // LUN 0 is named before the system disk.
      const found = images.map((name) => sha256(readFileSync(join(world.restores, name)))).toSorted();
      assert.deepEqual(found, [...(scene.contents.get(point) ?? [])].sort(), point);
      for (const name of files) rmSync(join(world.restores, name));
    },
  },
  prune: {
    faults: [
      "retention.row-removed",
      "retention.row-left-tier",
      "store.after-condemn",
      "store.after-doom",
      "store.after-delete",
    ],
    prepare: async (world) => {
      world.advance(26 * hour);
      world.changeDisks();
      await ageTiers(world);
    },
    begin: async (world, service) => {
      await deathOrCare(service);
      await settled(world, service);
    },
  },
  rotation: {
    faults: ["stores.key-added", "stores.key-chosen", "stores.key-removed"],
    prepare: (world) => world.advance(60),
    begin: async (world, service, { number }) => {
      await world.vault(service, "PATCH", "", encryption(world, number));
    },
    // Who asked has heard nothing, and asks again.
    finish: async (world, service, { number }) => {
      const answer = await world.vault(service, "PATCH", "", encryption(world, number));
      assert.equal(answer.status, 200, answer.text);
    },
  },
};

function encryption(world: World, number: number): object {
  const keyUri = world.keys[Math.floor(number / Object.keys(rounds).length) % world.keys.length];
  return {
    properties: {
      encryption: {
        keyVaultProperties: { keyUri },
        kekIdentity: { useSystemAssignedIdentity: true },
        infrastructureEncryption: "Disabled",
      },
    },
  };
}

function chosen(points: readonly WirePoint[], { number }: Scene): string {
  return points[(number * 7) % points.length]?.name ?? assert.fail("no recovery point");
}

/** The caretaker looks after a vault within two seconds; a death is what is hoped for. */
async function deathOrCare(service: TestService): Promise<void> {
  const died = (): Promise<void> => new Promise((resolve) => service.process.once("exit", () => resolve()));
  await withDeadline(8000, died, () => new Error("the fault was not met")).catch(() => {});
}
