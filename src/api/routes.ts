/** Every route of the API, in the order in which they are tried and documented. */

import { BANNED } from "./banned.ts";
import { CLIENTS } from "./clients.ts";
import { LIVE } from "./live.ts";
import { PORTABLE } from "./portable.ts";
import { PUBLISHING } from "./publishing.ts";
import { RETAINED } from "./retained.ts";
import type { Route } from "./route.ts";
import { USERS } from "./users.ts";

export const ROUTES: readonly Route[] = [...PUBLISHING, ...LIVE, ...CLIENTS, ...RETAINED, ...USERS, ...BANNED, ...PORTABLE];
