/** What the Worker's code makes of a message (`onPublish`) on its way from a client: whether it is asked, and what follows from its answer. */

import type { Publish } from "../mqtt/packet.ts";
import type { SessionCore } from "./core.ts";
import type { HELD, PublishVerdict } from "./ports.ts";
import type { Connection } from "./session.ts";

/** The broker's own topics. */
export const SYSTEM_PREFIX = "$SYS/";

/** That it goes nowhere. */
export type CodeRefusal = Extract<PublishVerdict, { readonly reasonCode: number }>;

/**
 * Asks about a message that its client may publish. Of one above a rate nobody is asked.
 * @returns HELD when the packet has to come again; nothing has happened to it then
 */
export function verdictOn(core: SessionCore, connection: Connection, publish: Publish, topic: string): PublishVerdict | typeof HELD {
  const { asker } = connection;
  if (asker === undefined || !isAskedAbout(topic) || !core.paces.mayPublish(connection, core.now)) return undefined;
  return asker.ask(publish, topic);
}

export function isAskedAbout(topic: string): boolean {
  return !topic.startsWith(SYSTEM_PREFIX);
}

export function refusalIn(verdict: PublishVerdict): CodeRefusal | undefined {
  return verdict !== undefined && "reasonCode" in verdict ? verdict : undefined;
}

/** A message as it goes on, if it does. */
export interface Meant {
  readonly publish: Publish;
  readonly topic: string;
}

/** @param verdict that is no refusal */
export function meantBy(verdict: PublishVerdict, publish: Publish, topic: string): Meant {
  return verdict !== undefined && "publish" in verdict ? { publish: verdict.publish, topic: verdict.publish.topic } : { publish, topic };
}
