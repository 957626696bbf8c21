/**
 * Which pages may connect from a browser, and by which names the broker may be asked for. A browser connects for whatever page its user
 * looks at, also to where only he can reach: to a broker on his machine or in his network. What lets clients in without a login must not
 * be open to every page then. Programs other than browsers say no Origin, or what they like: this is no protection against them.
 */

import type { Settings } from "../settings.ts";
import { sentence } from "./answers.ts";
import type { UpgradeRequest } from "./upgrade-request.ts";

/** A name or an address that is always this machine. @param name as in a URL */
function isLoopbackName(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost") || name === "[::1]" || /^127(\.\d{1,3}){3}$/.test(name);
}

/** The answer to a request for a name that is not the broker's: somebody else's name may be made to mean this machine (DNS rebinding). */
export function refusesHost({ hostname }: URL, { allowedHosts }: Settings): Response | undefined {
  if (allowedHosts.length === 0) return undefined;
  if (allowedHosts.includes(hostname) || (allowedHosts.includes("loopback") && isLoopbackName(hostname))) return undefined;
  return sentence(421, `This broker is not called ${hostname}. Its operator can add names to ALLOWED_HOSTS.`);
}

/** The answer to a browser that connects for a page which may not. */
export function refusesOrigin({ headers, url }: Pick<UpgradeRequest, "headers" | "url">, settings: Settings): Response | undefined {
  const origin = headers.get("Origin");
  if (origin === null || mayConnect(origin, url, settings)) return undefined;
  return sentence(403, "Pages of this origin may not connect to this broker. Its operator can add the origin to ALLOWED_ORIGINS.");
}

function mayConnect(text: string, broker: URL, { allowedOrigins, allowAnonymous }: Settings): boolean {
  if (allowedOrigins === "*") return true;
  const origin = URL.canParse(text) ? new URL(text) : undefined;
  // "null" is said for pages in a sandbox and for files: it is nobody's.
  if (origin === undefined) return allowedOrigins === undefined && !allowAnonymous;
  if (origin.host === broker.host) return true;
  if (allowedOrigins !== undefined) return allowedOrigins.includes(origin.origin);
  // Where CONNECT has to bring a password or a token, a page that has it may use it: a browser adds nothing by itself.
  if (!allowAnonymous) return true;
  return isLoopbackName(broker.hostname) && isLoopbackName(origin.hostname);
}
