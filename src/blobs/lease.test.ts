import assert from "node:assert/strict";
import { test } from "node:test";
import { acquire, breakLease, change, checkLease, isLocked, leaseState, noLease, release, renew } from "./lease.ts";

const one = "11111111-1111-4111-8111-111111111111";
const two = "22222222-2222-4222-8222-222222222222";
const second = 1000;

test("a lease for a time runs out by itself and can be renewed by its holder only", () => {
  const lease = acquire(noLease, 15, one, 0);
  assert.equal(leaseState(lease, 14 * second), "leased");
  assert.equal(leaseState(lease, 15 * second), "expired");
  assert.equal(isLocked(lease, 15 * second), false);
  assert.equal(leaseState(renew(lease, one, 20 * second), 34 * second), "leased");
  assert.throws(() => renew(lease, two, 0), { code: "LeaseIdMismatchWithLeaseOperation" });
  assert.equal(acquire(lease, -1, two, 16 * second).id, two);
});

test("a held lease is given to nobody else, and again to its holder", () => {
  const lease = acquire(noLease, -1, one, 0);
  assert.throws(() => acquire(lease, 15, two, 1), { code: "LeaseAlreadyPresent" });
  assert.throws(() => acquire(lease, 15, undefined, 1), { code: "LeaseAlreadyPresent" });
  assert.equal(acquire(lease, 15, one, 0).endsAt, 15 * second);
  for (const duration of [0, 14, 61, -2, 15.5])
    assert.throws(() => acquire(noLease, duration, one, 0), { code: "InvalidHeaderValue" });
});

test("breaking waits as long as asked, never longer than the lease", () => {
  const endless = acquire(noLease, -1, one, 0);
  assert.equal(breakLease(endless, undefined, 0).seconds, 0);
  const slow = breakLease(endless, 30, 0);
  assert.equal(slow.seconds, 30);
  assert.equal(leaseState(slow.lease, 29 * second), "breaking");
  assert.equal(leaseState(slow.lease, 30 * second), "broken");
  assert.throws(() => acquire(slow.lease, 15, two, 1), { code: "LeaseIsBreakingAndCannotBeAcquired" });
  assert.throws(() => renew(slow.lease, one, 31 * second), { code: "LeaseIsBrokenAndCannotBeRenewed" });
  assert.equal(acquire(slow.lease, 15, two, 31 * second).id, two);
  assert.equal(breakLease(acquire(noLease, 20, one, 0), 60, 5 * second).seconds, 15);
  assert.throws(() => breakLease(noLease, 0, 0), { code: "LeaseNotPresentWithLeaseOperation" });
});

test("the id is changed by whoever holds the lease, and released by nobody else", () => {
  const lease = acquire(noLease, -1, one, 0);
  assert.equal(change(lease, one, two, 1).id, two);
  assert.equal(change({ ...lease, id: two }, one, two, 1).id, two);
  assert.throws(() => change(lease, two, "33333333-3333-4333-8333-333333333333", 1), {
    code: "LeaseIdMismatchWithLeaseOperation",
  });
  assert.throws(() => release(lease, two), { code: "LeaseIdMismatchWithLeaseOperation" });
  assert.equal(leaseState(release(lease, one), 0), "available");
});

test("a write needs the lease's id, a read only if it names one", () => {
  const lease = acquire(noLease, -1, one, 0);
  assert.throws(() => checkLease(lease, undefined, 0, "write", "Blob"), { code: "LeaseIdMissing" });
  assert.throws(() => checkLease(lease, two, 0, "read", "Blob"), { code: "LeaseIdMismatchWithBlobOperation" });
  assert.throws(() => checkLease(noLease, one, 0, "write", "Container"), {
    code: "LeaseNotPresentWithContainerOperation",
  });
  checkLease(lease, undefined, 0, "read", "Blob");
  checkLease(lease, one.toUpperCase(), 0, "write", "Blob");
});
