/** Where the faults of an object end: in its log. What ends the object itself goes on its way. */

import { type FaultPort, problemOf } from "../fault.ts";
import { StoreRefused } from "./guarded-store.ts";
import { log } from "./log.ts";

/** @param object its name */
export function faultsOf(object: string): FaultPort {
  return {
    caught(error, doing, client) {
      if (error instanceof StoreRefused) throw error;
      const problem = problemOf(error);
      log("a fault, which its client alone pays for", { object, doing, ...(client === undefined ? {} : { client }), problem });
    },
  };
}
