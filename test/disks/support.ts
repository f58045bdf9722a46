// A running service with a host of disk images: one machine `web` with a system disk and a data disk.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "../../src/lib/time.ts";
import { startTestService, type Answer, type TestService } from "../support/service.ts";

export interface DiskRig extends AsyncDisposable {
  readonly service: TestService;
  readonly folder: string;
  /** The group's id. */
  readonly group: string;
  /** `/providers/Microsoft.Compute/…` of the group: `compute("disks/a")`. */
  compute(path: string): string;
  /** A request; throws unless the answer has the status. */
  ask(method: string, path: string, status: number, body?: object): Promise<Answer>;
  /** What is there; undefined when nothing is. */
  find(path: string): Promise<Answer | undefined>;
  /** A change that goes on after the answer, followed to its end. */
  follow(method: string, path: string, status: number, body?: object): Promise<Ended>;
  write(disk: string, ...commands: string[]): void;
  /** Fails when an image and a disk of the machine differ. */
  compare(disk: string, format: string, path: string): void;
  download(url: string, path: string): Promise<void>;
  upload(path: string, url: string): Promise<void>;
}

export interface Ended {
  readonly status: string;
  readonly error?: { readonly code: string; readonly message: string };
}

const version = "api-version=2024-03-02";

export async function startDiskRig(): Promise<DiskRig> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-disks-"));
  mkdirSync(join(folder, "images", "web"), { recursive: true });
  const image = (disk: string): string => join(folder, "images", "web", `${disk}.qcow2`);
  const write = (disk: string, ...commands: string[]): void => {
    execFileSync("qemu-io", ["-f", "qcow2", ...commands.flatMap((command) => ["-c", command]), image(disk)]);
  };
  for (const [disk, size] of [
    ["a-os", "12M"],
    ["b-data", "9M"],
  ] as const) {
    execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", image(disk), size]);
  }
  write("a-os", "write -P 1 0 3M");
  write("b-data", "write -P 2 5M 1M");
  const service = await startTestService();
  const group = `/subscriptions/${service.admin.subscriptionId}/resourceGroups/machines`;

  const ask = async (method: string, path: string, status: number, body?: object): Promise<Answer> => {
    const answer = await service.call(method, `${path}${path.includes("?") ? "&" : "?"}${version}`, { body });
    if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer;
  };
  const follow = async (method: string, path: string, status: number, body?: object): Promise<Ended> => {
    const answer = await ask(method, path, status, body);
    const url = new URL(String(answer.headers["azure-asyncoperation"]));
    return waitFor(
      `${method} ${path}`,
      async () => {
        const { json } = await service.call("GET", `${url.pathname}${url.search}`);
        return (json as Ended).status === "InProgress" ? undefined : (json as Ended);
      },
      120_000,
      100,
    );
  };
  await ask("PUT", group, 201, { location: "local" });
  const rig: DiskRig = {
    service,
    folder,
    group,
    compute: (path) => `${group}/providers/Microsoft.Compute/${path}`,
    ask,
    find: async (path) => {
      const answer = await service.call("GET", `${path}?${version}`);
      return answer.status === 404 ? undefined : answer;
    },
    follow,
    write,
    compare: (disk, format, path) => {
      execFileSync("qemu-img", ["compare", "-f", format, "-F", "qcow2", path, image(disk)]);
    },
    download: async (url, path) => writeFileSync(path, await fetched(service, url, "GET", 200)),
    upload: async (path, url) => {
      await fetched(service, url, "PUT", 201, readFileSync(path));
    },
    [Symbol.asyncDispose]: async () => {
      await service[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await ask("PUT", `${group}/providers/Microsoft.Holdfast/hosts/images`, 201, {
      location: "local",
      properties: { kind: "images", path: join(folder, "images") },
    });
    return rig;
  } catch (error) {
    await rig[Symbol.asyncDispose]();
    throw error;
  }
}

/** As any client would, without a token. */
function fetched(service: TestService, url: string, method: string, status: number, body?: Buffer): Promise<Buffer> {
  const headers = body === undefined ? {} : { "x-ms-blob-type": "BlockBlob", "Content-Length": body.length };
  return new Promise((resolve, reject) => {
    const sent = request(url, { ca: readFileSync(service.ca), method, headers }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on("data", (piece: Buffer) => pieces.push(piece));
      answer.on("end", () => {
        const whole = Buffer.concat(pieces);
        if (answer.statusCode === status) resolve(whole);
        else reject(new Error(`${answer.statusCode}: ${whole.toString("utf8")}`));
      });
      answer.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
