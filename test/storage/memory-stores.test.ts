/** The contract of the stores, on memory. */

import { MemoryDirectoryStore } from "../../src/storage/memory-directory-store.ts";
import { MemoryRoutingStore } from "../../src/storage/memory-routing-store.ts";
import { MemorySessionStore } from "../../src/storage/memory-session-store.ts";
import { createRowMeter } from "../../src/storage/row-meter.ts";
import { directoryStoreContract } from "./directory-store-contract.ts";
import { routingStoreContract } from "./routing-store-contract.ts";
import { sessionStoreContract } from "./session-store-contract.ts";

sessionStoreContract("memory", async (body) => {
  const meter = createRowMeter();
  const store = new MemorySessionStore(meter);
  body(() => store, meter);
});

routingStoreContract("memory", async (body) => {
  const meter = createRowMeter();
  const store = new MemoryRoutingStore(meter);
  body(() => store, meter);
});

directoryStoreContract("memory", async (body) => {
  const store = new MemoryDirectoryStore();
  body(() => store, createRowMeter());
});
