/** A client as hooks see it, made once for each login of a client. */

import { parseGrants } from "../auth/grants.ts";
import type { Identity } from "../session/ports.ts";
import type { HookClient } from "./contract.ts";

const NO_ATTRIBUTES: Readonly<Record<string, string>> = Object.freeze({});

/** In the place of a client where another Worker publishes. */
export const NO_CLIENT: HookClient = Object.freeze({ clientId: "", userName: undefined, address: "", attributes: NO_ATTRIBUTES });

const views = new WeakMap<Identity, HookClient>();

export function clientView(identity: Identity, clientId: string): HookClient {
  const known = views.get(identity);
  if (known?.clientId === clientId) return known;
  const { userName, address, grants } = identity;
  const attributes = grants === "" ? NO_ATTRIBUTES : (parseGrants(grants)?.attributes ?? NO_ATTRIBUTES);
  const view = Object.freeze({ clientId, userName, address, attributes: Object.freeze(attributes) });
  views.set(identity, view);
  return view;
}
