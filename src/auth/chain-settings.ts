/** Who is asked whether a client may connect, and in which order: the variable AUTH_CHAIN. */

import { setting } from "../setting.ts";

export const CHAIN_LINKS = ["jwt", "users", "http", "service"] as const;
/** Tokens; the users that the broker itself knows; the HTTP service; the Worker behind the binding `AUTH`. */
export type ChainLink = (typeof CHAIN_LINKS)[number];

export const CHAIN_SETTING = setting(
  "AUTH_CHAIN",
  "",
  `names among ${CHAIN_LINKS.join(", ")} separated by commas, each once, or nothing`,
  "who is asked in which order whether a client may connect, the next one when one does not know it: tokens, `USERS`, `HTTP_AUTH_URL`, the Worker behind the binding `AUTH`; what is configured and not named is not asked. Nothing = all that is configured, in the order `jwt,users,http,service`",
  parseChain,
);

function parseChain(text: string): readonly ChainLink[] | undefined {
  if (text === "") return [];
  const names = text.split(",").map((name) => name.trim());
  const links = names.flatMap((name) => CHAIN_LINKS.filter((link) => link === name));
  return links.length === names.length && new Set(links).size === links.length ? links : undefined;
}
