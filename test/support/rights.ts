/** An authorizer for tests that are about something else. */

import type { Authorizer } from "../../src/session/ports.ts";

/** Everybody may do everything. */
export const ALL_RIGHTS: Authorizer = {
  mayPublish: () => true,
  maySubscribe: () => true,
  limitsReceive: () => false,
  mayReceive: () => true,
};
