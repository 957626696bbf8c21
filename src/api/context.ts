/** What is known of a request to `/api/v5` before its route is. */

import type { ApiScope } from "../auth/api-settings.ts";
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
    /** Whose token it is: different for different ones, the same for all of one user of an identity provider. */
    readonly caller: string;
    /** When the login is over, milliseconds since the epoch; Infinity = never. */
    readonly expiresAt: number;
    readonly service: Service;
  };
}
