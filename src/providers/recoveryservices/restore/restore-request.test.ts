import assert from "node:assert/strict";
import { test } from "node:test";
import { restoreRequestSchema } from "./restore-request.ts";

const request = { objectType: "IaasVMRestoreRequest", recoveryType: "RestoreDisks" };

test("an id that is empty or null is none; another text that is no id is refused by its field", () => {
  const read = restoreRequestSchema.parse({ ...request, subnetId: "", virtualNetworkId: null, affinityGroup: "" });
  assert.equal(read.subnetId, undefined);
  assert.equal(read.virtualNetworkId, undefined);
  const { error } = restoreRequestSchema.safeParse({ ...request, subnetId: "inner" });
  assert.deepEqual(error?.issues[0]?.path, ["subnetId"]);
});
