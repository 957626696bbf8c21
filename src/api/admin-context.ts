/** What the handlers of `/api/v5` find of their request. */

import type { DirectoryCalls } from "../objects/calls.ts";
import type { BrokerEnv } from "../objects/env.ts";
import type { Settings } from "../settings.ts";

export interface AdminContext {
  readonly Bindings: BrokerEnv;
  readonly Variables: { readonly settings: Settings; readonly directory: DirectoryCalls };
}
