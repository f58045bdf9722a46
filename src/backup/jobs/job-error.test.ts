import assert from "node:assert/strict";
import { test } from "node:test";
import { databaseErrors } from "../../db/errors.ts";
import { storeErrors } from "../../store/errors.ts";
import { objectErrors } from "../../store/backends/errors.ts";
import { isTransient, JobFailure } from "./job-error.ts";

test("what may pass by itself is tried again: a store or a database that does not answer, a session that was given up", () => {
  const restarting = Object.assign(new Error("the database system is starting up"), { code: "57P03" });
  for (const failure of [
    objectErrors.StoreUnreachable("no answer"),
    objectErrors.StoreThrottled("slow down"),
    storeErrors.SessionEvicted("given up"),
    databaseErrors.DatabaseBusy("many wait"),
    restarting,
    new JobFailure("HostUnreachable", "no answer"),
  ]) {
    assert.ok(isTransient(failure), String(failure));
  }
});

test("what needs somebody's help, and mistakes of our own, are not", () => {
  for (const failure of [
    objectErrors.StoreRefused("no right"),
    storeErrors.ObjectDamaged("bad"),
    new JobFailure("BackupStoreFull", "full"),
    Object.assign(new Error("no such file"), { code: "ENOENT" }),
    new TypeError("undefined is not a function"),
    undefined,
  ]) {
    assert.ok(!isTransient(failure), String(failure));
  }
});
