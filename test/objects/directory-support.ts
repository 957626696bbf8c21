/** The directory object of a test inside the Workers runtime. */

import { env } from "cloudflare:workers";
import type { Ban } from "../../src/directory/bans.ts";
import { directoryObjectName } from "../../src/objects/names.ts";
import { quickHash } from "../auth/support.ts";

/** A new stub for each call: one whose object was reset stays broken. */
export function directory() {
  const namespace = env.DIRECTORY!;
  return namespace.get(namespace.idFromName(directoryObjectName("default")));
}

export function ban(who: string, more: Partial<Ban> = {}): Ban {
  return { kind: "clientid", who, by: "ada", reason: "", at: 0, until: Number.POSITIVE_INFINITY, ...more };
}

export async function putUser(user: string, password: string): Promise<void> {
  await directory().putUsers([{ user, password: await quickHash(password), rights: '{"superuser":true}' }], "put");
}
