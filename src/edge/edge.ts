/** What the Worker's part of a connection has to do with. */

import type { BrokerHooks } from "../hooks/contract.ts";
import type { BrokerEnv } from "../objects/env.ts";
import type { Settings } from "../settings.ts";

export interface Edge {
  readonly env: BrokerEnv;
  readonly settings: Settings;
  /** Of the Worker's code. */
  readonly hooks: BrokerHooks;
}
