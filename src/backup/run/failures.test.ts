import assert from "node:assert/strict";
import { test } from "node:test";
import { extensionErrors } from "../../guest/vmsnapshot/codes.ts";
import { hostErrors } from "../../hosts/errors.ts";
import { objectErrors } from "../../store/backends/errors.ts";
import { captureErrors } from "../capture/errors.ts";
import { errorOf, isTransient, JobFailure } from "../jobs/job-error.ts";
import { userErrors } from "../jobs/user-errors.ts";
import { backupFailure, backupWarnings } from "./failures.ts";

test("every error of the table says what it is and what to do", () => {
  for (const [code, { title, recommendations }] of Object.entries(userErrors)) {
    assert.ok(title.length > 10, code);
    assert.ok(recommendations.length > 0 && recommendations.every((text) => text.endsWith(".")), code);
  }
});

test("a failure of our own parts becomes the code that users know, with what was seen", () => {
  const failure = backupFailure(captureErrors.NothingToCapture("The machine vm1 has no disks."));
  assert.ok(failure instanceof JobFailure);
  assert.equal(errorOf(failure).code, "UserErrorInvalidDiskLunList");
  assert.equal(errorOf(failure).message, "The machine vm1 has no disks.");
  assert.equal(isTransient(failure), false);
  const full = backupFailure(Object.assign(new Error("write"), { code: "ENOSPC" }));
  assert.equal(errorOf(full).code, "BackupStoreFull");
});

test("a vault whose place is gone and a libvirt that is gone are told from each other, and tried again", () => {
  const gone = backupFailure(objectErrors.StoreFailed("Writing sessions/a.open in /mnt/vault failed: ENOENT."));
  assert.equal(errorOf(gone).code, "BackupStoreUnavailable");
  assert.match(errorOf(gone).recommendations.join(), /mounted/);
  const silent = backupFailure(hostErrors.LibvirtUnreachable("libvirt cannot be reached."));
  assert.equal(errorOf(silent).code, "HostUnreachable");
  assert.ok(isTransient(gone) && isTransient(silent));
});

test("our own mistakes are not dressed up, and show nothing of the inside", () => {
  const mistake = new TypeError("x is undefined at /secret/path");
  assert.equal(backupFailure(mistake), mistake);
  assert.equal(errorOf(mistake).code, "BackUpOperationFailed");
  assert.doesNotMatch(errorOf(mistake).message, /secret/);
});

test("a script that must not fail gives the failure the name that users look up", () => {
  const failure = backupFailure(extensionErrors.FailedPrepostPostScriptTimeout("It did not end."));
  assert.equal(errorOf(failure).code, "Post-ScriptTimeout");
});

test("a mount that the agent could not open is told from one that it could not freeze", () => {
  const of = (explanation: string) =>
    backupWarnings({
      wanted: "application",
      consistency: { level: "crash", reason: "FreezeFailed", explanation },
      remarks: [],
    }).map(({ code }) => code);
  assert.deepEqual(of("failed to open /mnt/x: No such file or directory"), ["UserErrorUnableToOpenMount"]);
  assert.deepEqual(of("failed to freeze /mnt/x: Input/output error"), ["UserErrorFsFreezeFailed"]);
});

test("a running machine that could only be had crash-consistent warns; one that does not run does not", () => {
  const of = (wanted: "application" | "crash", reason: string) =>
    backupWarnings({ wanted, consistency: { level: "crash", reason, explanation: "why" }, remarks: [] }).map(
      ({ code }) => code,
    );
  assert.deepEqual(of("application", "AgentAbsent"), ["UserErrorGuestAgentStatusUnavailable"]);
  assert.deepEqual(of("application", "FreezeFailed"), ["UserErrorFsFreezeFailed"]);
  for (const reason of ["FreezeUnanswered", "ThawFailed", "AgentMisbehaved"])
    assert.deepEqual(of("application", reason), ["GuestAgentSnapshotTaskStatusError"], reason);
  assert.deepEqual(of("application", "MachineNotRunning"), []);
  assert.deepEqual(of("crash", "CrashConsistencyWanted"), []);
});

test("a remark that is a warning makes one, a note does not", () => {
  const warnings = backupWarnings({
    wanted: "crash",
    consistency: { level: "crash" },
    remarks: [
      { code: "BitmapLost", severity: "warning", message: "All of it was read." },
      { code: "FailedPrepostPreScriptFailed", severity: "warning", message: "It ended with 3." },
      { code: "DiskResized", severity: "note", message: "It has grown." },
    ],
  });
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ["BitmapLost", "Pre-ScriptExecutionFailed"],
  );
  assert.equal(warnings[1]?.title, userErrors["Pre-ScriptExecutionFailed"].title);
});
