/** What the handlers of `/api/v5` find of their request. */

import type { ApiScope } from "../auth/api-settings.ts";
import type { DirectoryCalls } from "../objects/calls.ts";
import type { BrokerEnv } from "../objects/env.ts";
import type { Service } from "../service/service.ts";
import type { Settings } from "../settings.ts";

export interface ApiContext {
  readonly Bindings: BrokerEnv;
  readonly Variables: {
    readonly settings: Settings;
    readonly namespace: string;
    /** What the token is for in this namespace. */
    readonly scopes: readonly ApiScope[];
    readonly service: Service;
    /** Where there is a directory. */
    readonly directory: DirectoryCalls;
  };
}
