/** FaultPorts for tests. */

import type { FaultPort } from "../../src/fault.ts";

/** Where none is expected: it breaks the test. */
export const NO_FAULTS: FaultPort = {
  caught(error) {
    throw error;
  },
};
