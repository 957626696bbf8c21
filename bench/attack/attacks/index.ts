/** Every attack that there is, in the order of the table. */

import type { Attack } from "../attack.ts";
import { CLIENT_ATTACKS } from "./clients.ts";
import { MESSAGE_ATTACKS } from "./messages.ts";
import { RETAINED_ATTACKS } from "./retained.ts";
import { SOCKET_ATTACKS } from "./sockets.ts";
import { SUBSCRIPTION_ATTACKS } from "./subscriptions.ts";

export const ATTACKS: readonly Attack[] = [
  ...SUBSCRIPTION_ATTACKS,
  ...RETAINED_ATTACKS,
  ...MESSAGE_ATTACKS,
  ...CLIENT_ATTACKS,
  ...SOCKET_ATTACKS,
];
