/** The contract of the stores, on memory. */

import { MemoryRoutingStore } from "../../src/storage/memory-routing-store.ts";
import { MemorySessionStore } from "../../src/storage/memory-session-store.ts";
import { createRowMeter } from "../../src/storage/row-meter.ts";
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
