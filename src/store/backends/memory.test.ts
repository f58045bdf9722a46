import { memoryStore } from "./memory.ts";
import { objectStoreContract } from "./testing/object-store-contract.ts";

const supports = { objectLock: true, atomicCreate: true, contentCheck: true };

objectStoreContract(
  "memory",
  async () => {
    const store = memoryStore();
    return { store, again: store, close: async () => {} };
  },
  { supports },
);
