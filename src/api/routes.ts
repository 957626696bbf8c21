/** Every route of the API, in the order in which they are tried and documented. */

import { AUTHORIZATION } from "./authorization.ts";
import { BANNED } from "./banned.ts";
import { CLIENTS } from "./clients.ts";
import { CONNECTIONS } from "./connections.ts";
import { LIVE } from "./live.ts";
import { PORTABLE } from "./portable.ts";
import { PRESENCE } from "./presence.ts";
import { PUBLISHING } from "./publishing.ts";
import { RETAINED } from "./retained.ts";
import type { Route } from "./route.ts";
import { STATS } from "./stats.ts";
import { SUBSCRIPTIONS } from "./subscriptions.ts";
import { TRACE } from "./trace.ts";
import { USAGE } from "./usage.ts";
import { USERS } from "./users.ts";
import { WAITING } from "./waiting.ts";

export const ROUTES: readonly Route[] = [
  ...PUBLISHING,
  ...CONNECTIONS,
  ...LIVE,
  ...SUBSCRIPTIONS,
  ...PRESENCE,
  ...WAITING,
  ...TRACE,
  ...CLIENTS,
  ...RETAINED,
  ...STATS,
  ...USAGE,
  ...USERS,
  ...BANNED,
  ...AUTHORIZATION,
  ...PORTABLE,
];
