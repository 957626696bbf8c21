/**
 * What a Session object has in memory, written down so that two lives of it can be compared: after hibernation everything is there
 * again; after a reset what was promised, which is what kept sessions are made of.
 */

import type { SessionCore } from "../../src/session/core.ts";
import type { Delivery } from "../../src/session/delivery.ts";
import type { RetainedCursor, Session } from "../../src/session/session.ts";
import { compareTopics } from "../../src/topic/order.ts";

interface RememberedDelivery {
  readonly packetId: number;
  readonly message: string | undefined;
  readonly isStored: boolean;
  readonly expiresAt: number;
  readonly all: string;
}

interface RememberedSession {
  readonly number: number;
  readonly expirySeconds: number;
  readonly expiresAt: number;
  readonly hasWill: boolean;
  /** Retained messages that acknowledged subscriptions are owed. */
  readonly promised: readonly { readonly filter: string; readonly from: string }[];
  readonly subscriptions: ReadonlySet<string>;
  readonly deliveries: ReadonlyMap<number, RememberedDelivery>;
  readonly released: ReadonlySet<number>;
  readonly received: ReadonlyMap<number, string>;
  /** Everything, line by line. */
  readonly lines: readonly string[];
}

export interface Memory {
  readonly sessions: ReadonlyMap<string, RememberedSession>;
  /** What belongs to no session, line by line. */
  readonly lines: readonly string[];
}

/** Writes down what an object knows. */
export function remember(core: SessionCore): Memory {
  const sessions = new Map<string, RememberedSession>();
  for (const [clientId, session] of core.sessions) sessions.set(clientId, rememberSession(session));
  const lines = [
    ...[...core.interests.keys()].map((filter) => `interest in ${filter}`),
    ...[...core.shares].map(([filter, { members }]) => `members of ${filter}: ${list([...members].map(({ clientId }) => clientId))}`),
    `${core.connections.size} connections`,
    `open exchanges: ${[...core.openExchanges.keys()].join(" ")}`,
  ];
  return { sessions, lines: lines.sort() };
}

function list(items: Iterable<string | number>): string {
  return [...items].sort().join(" ");
}

function rememberSession(session: Session): RememberedSession {
  const { number, expirySeconds, expiresAt, will, connection, resending, queued } = session;
  const subscriptions = new Set(
    [...session.subscriptions.values()].map(({ request, identifier }) => `${JSON.stringify(request)} ${identifier}`),
  );
  const deliveries = new Map([...session.deliveries.values()].map((delivery) => [delivery.packetId, rememberDelivery(delivery)]));
  const received = new Map(
    [...session.received].map(([packetId, { sequence, reasonCode }]) => [
      packetId,
      `${sequence} ${reasonCode === undefined ? "open" : "settled"}`,
    ]),
  );
  const released = new Set(session.released);
  const promised = session.owed.filter((cursor) => cursor.promised).map(({ filter, from }) => ({ filter, from }));
  const lines = [
    `number ${number}, user ${session.identity.userName}, expires after ${expirySeconds} s`,
    `expires at ${expiresAt}`,
    `will ${will === undefined ? "none" : `${will.will.topic} due at ${will.dueAt}`}`,
    `subscriptions ${list(subscriptions)}`,
    `deliveries ${[...deliveries.values()].map(({ all }) => all).join("; ")}`,
    // What is to be sent again is found out when the client is back.
    `${connection === undefined ? "all" : resending.length} to send again, ${queued.length} queued, ${session.queuedBytes} bytes`,
    `released ${[...released].join(" ")}`,
    `received ${list([...received].map(([packetId, what]) => `${packetId}:${what}`))}`,
    `next Packet Identifier ${session.nextPacketId}`,
    `owed ${session.owed.map(nameOfOwed).join("; ")}`,
    connection === undefined
      ? "away"
      : `connected, ${JSON.stringify(connection.facts)}, aliases ${list([...connection.aliases].map((pair) => pair.join("=")))}`,
  ];
  return { number, expirySeconds, expiresAt, hasWill: will !== undefined, promised, subscriptions, deliveries, released, received, lines };
}

function nameOfOwed({ filter, place, from }: RetainedCursor): string {
  return `${filter} of ${place} from ${from}`;
}

function rememberDelivery({ packetId, qos, retain, sent, share, owed, message, record, identifiers }: Delivery): RememberedDelivery {
  // Of one that was sent and is in no row only its acknowledgement is awaited.
  const isKept = record !== undefined || !sent;
  const name = message && `${message.origin} ${message.sequence}`;
  const content = isKept ? `${name} ${retain} ${share} ${owed} ${identifiers?.join(",")}` : "";
  const all = `${packetId} QoS ${qos} ${sent ? "sent" : "waits"} ${content}`;
  return { packetId, message: name, isStored: record !== undefined, expiresAt: message?.expiresAt ?? 0, all };
}

/** After hibernation nothing differs. */
export function differences(before: Memory, after: Memory): string[] {
  const problems = different("", before.lines, after.lines);
  for (const clientId of new Set([...before.sessions.keys(), ...after.sessions.keys()])) {
    const [was, is] = [before.sessions.get(clientId), after.sessions.get(clientId)];
    problems.push(...different(`${clientId}: `, was?.lines ?? ["no session"], is?.lines ?? ["no session"]));
  }
  return problems;
}

function different(whose: string, before: readonly string[], after: readonly string[]): string[] {
  const gone = before.filter((line) => !after.includes(line));
  const come = after.filter((line) => !before.includes(line));
  return gone.length + come.length === 0 ? [] : [`${whose}${gone.join(" | ")} became ${come.join(" | ")}`];
}

/** After a reset kept sessions have what they had; what acknowledgements ended may be there again. */
export function losses(before: Memory, after: Memory, now: number): string[] {
  const problems: string[] = [];
  for (const [clientId, was] of before.sessions) {
    const isOver = was.expiresAt !== 0 && was.expiresAt <= now;
    if (was.number === 0 || was.expirySeconds === 0 || isOver) continue;
    const is = after.sessions.get(clientId);
    const lost = (what: string): void => void problems.push(`${clientId} lost ${what}`);
    if (is === undefined || is.number !== was.number) {
      lost("its session");
      continue;
    }
    if (list(was.subscriptions) !== list(is.subscriptions))
      lost(`subscriptions: ${list(was.subscriptions)}, now ${list(is.subscriptions)}`);
    for (const { packetId, message, isStored, expiresAt } of was.deliveries.values()) {
      const isDue = isStored && (expiresAt === 0 || expiresAt > now);
      if (isDue && is.deliveries.get(packetId)?.message !== message) lost(`${message}, which waited as ${packetId}`);
    }
    for (const packetId of was.released) if (!is.released.has(packetId)) lost(`the release of ${packetId}`);
    const exchanges = (session: RememberedSession): string => list([...session.received.keys()]);
    if (exchanges(was) !== exchanges(is)) lost(`exchanges: ${exchanges(was)}, now ${exchanges(is)}`);
    if (was.hasWill && !is.hasWill) lost("its will");
    for (const { filter, from } of was.promised) {
      if (!is.promised.some((cursor) => cursor.filter === filter && compareTopics(cursor.from, from) <= 0))
        lost(`what ${filter} is owed from ${from}`);
    }
  }
  return problems;
}
