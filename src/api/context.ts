/** What is known of a request to `/api/v5` before its route is looked at. */

import type { ApiScope } from "../auth/api-token.ts";
import type { BrokerHooks } from "../hooks/contract.ts";
import type { BrokerEnv } from "../objects/env.ts";
import type { Service } from "../service/service.ts";
import type { Settings } from "../settings.ts";

export interface Incoming {
  readonly request: Request;
  readonly url: URL;
  readonly env: BrokerEnv;
  readonly settings: Settings;
  /** Of the Worker's code. */
  readonly hooks: BrokerHooks;
  /** What goes on when the answer has been given. */
  readonly waitUntil: (promise: Promise<unknown>) => void;
}

/** The same of somebody who may use the API. */
export interface Admitted extends Incoming {
  readonly namespace: string;
  /** What the token is for in this namespace. */
  readonly scopes: readonly ApiScope[];
  /** Whose token it is: different for different ones, the same for all of one user of an identity provider. */
  readonly caller: string;
  /** When the login is over, milliseconds since the epoch; Infinity = never. */
  readonly expiresAt: number;
  readonly service: Service;
}

/** Whether a token is for this: one for everything is. */
export function isFor({ scopes }: Pick<Admitted, "scopes">, scope: ApiScope): boolean {
  return scopes.includes(scope) || scopes.includes("admin");
}
