import assert from "node:assert/strict";
import { test } from "node:test";
import type { TaskReport } from "./status.ts";
import { writeTaskBlobs } from "./task-blobs.ts";

const report: TaskReport = {
  taskId: "5f0c1c5e-3f2b-4a49-8a67-6f6f0f2f1a01",
  startTicks: 638_000_000_000_000_000n,
  startedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
  endedAt: Date.UTC(2026, 0, 2, 3, 4, 9),
  version: "1.0.9200.0",
  level: "fileSystem",
  code: 1,
  message: "The snapshot is file system consistent.\nNothing else",
  telemetry: { FreezeTime: "0.2" },
};
const ours = "https://backup.example:8443/account/tasks/";

function recorder(): { written: Map<string, string>; write: Parameters<typeof writeTaskBlobs>[0] } {
  const written = new Map<string, string>();
  const write = async (url: URL, _type: string, content: Uint8Array): Promise<boolean> => {
    if (url.origin !== new URL(ours).origin) return false;
    written.set(url.href, Buffer.from(content).toString());
    return true;
  };
  return { written, write };
}

test("status and log go where the settings say; what is public counts before what is protected", async () => {
  const { written, write } = recorder();
  await writeTaskBlobs(
    write,
    {
      publicSettings: { statusBlobUri: `${ours}status?sig=1` },
      protectedSettings: { statusBlobUri: `${ours}other`, logsBlobUri: `${ours}log?sig=2` },
    },
    report,
  );
  assert.deepEqual([...written.keys()], [`${ours}status?sig=1`, `${ours}log?sig=2`]);
  const [{ status, timestampUTC }] = JSON.parse(written.get(`${ours}status?sig=1`) ?? "");
  assert.deepEqual([timestampUTC, status.code, status.taskId], [`/Date(${report.endedAt})/`, "1", report.taskId]);
  const lines = (written.get(`${ours}log?sig=2`) ?? "").split("\n");
  assert.equal(lines.length, 4);
  assert.match(lines[2] ?? "", /ended with code 1, consistency fileSystem: The snapshot is .* Nothing else$/);
});

test("a URL of somebody else's server, or none at all, is refused without its signature", async () => {
  const { written, write } = recorder();
  for (const statusBlobUri of [
    "https://169.254.169.254/latest?sig=secret",
    "sig=secret",
    "file:///etc/shadow?secret",
  ]) {
    await assert.rejects(
      writeTaskBlobs(write, { publicSettings: { statusBlobUri }, protectedSettings: undefined }, report),
      (error: { code: string; message: string }) =>
        error.code === "TaskBlobElsewhere" && !error.message.includes("secret"),
    );
  }
  assert.equal(written.size, 0);
});

test("without URLs nothing is written", async () => {
  const { written, write } = recorder();
  await writeTaskBlobs(write, { publicSettings: { statusBlobUri: "" }, protectedSettings: { logsBlobUri: 7 } }, report);
  assert.equal(written.size, 0);
});
