/**
 * What a Session object has in memory, written down so that two lives of it can be compared: after hibernation everything is there
 * again; after a reset what was promised, which is what kept sessions are made of.
 */

import { type Message, objectOf } from "../../src/mqtt/message.ts";
import type { Properties } from "../../src/mqtt/packet.ts";
import type { Consumer } from "../../src/session/consumer.ts";
import type { SessionCore } from "../../src/session/core.ts";
import type { Delivery } from "../../src/session/delivery.ts";
import type { OpenExchanges } from "../../src/session/open-exchanges.ts";
import type { RetainedCursor } from "../../src/session/owed-cursors.ts";
import type { PendingWill } from "../../src/session/pending-will.ts";
import type { Session } from "../../src/session/session.ts";
import { hash } from "../../src/topic/hash.ts";
import { compareTopics } from "../../src/topic/order.ts";
import { deliveriesOf } from "../support/deliveries.ts";

interface RememberedDelivery {
  readonly packetId: number;
  readonly message: string | undefined;
  readonly isStored: boolean;
  readonly expiresAt: number;
  /** All but whether it was sent. */
  readonly content: string;
  readonly all: string;
}

interface RememberedSession {
  readonly number: number;
  readonly expirySeconds: number;
  readonly expiresAt: number;
  /** Retained messages that acknowledged subscriptions are owed. */
  readonly promised: readonly { readonly filter: string; readonly place: string; readonly from: string }[];
  readonly user: string | undefined;
  /** Topic, flags, payload and properties; undefined: it has none. */
  readonly will: string | undefined;
  /** Former owners and what is known of their exchanges. */
  readonly moved: readonly string[];
  readonly nextPacketId: number;
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
  for (const [clientId, session] of core.sessions) sessions.set(clientId, rememberSession({ core, session }));
  const lines = [
    ...[...core.interests.keys()].map((filter) => `interest in ${filter}`),
    ...[...core.shares].map(([filter, { members }]) => `members of ${filter}: ${list([...members].map(({ clientId }) => clientId))}`),
    `${core.connections.size} connections`,
    ...(core.consumers?.all ?? []).map((consumer) => consumerText(core, consumer)),
    `open exchanges: ${[...core.openExchanges.keys()].join(" ")}`,
  ];
  return { sessions, lines: lines.sort() };
}

/** What expires may be found once more by the next life, which forgets it then. */
function consumerText(core: SessionCore, { plan, number, backlog, attempts, triedThrough, handledThrough }: Consumer): string {
  const lasting = [...backlog].filter((waiting) => core.log.find(waiting, number)?.message.expiresAt === 0);
  const sequences = lasting.map(({ sequence }) => sequence).join(" ");
  return `consumer ${plan.name} ${number}: ${sequences}, ${attempts} attempts up to ${triedThrough}, handled up to ${handledThrough}`;
}

function list(items: Iterable<string | number>): string {
  return [...items].sort().join(" ");
}

/** A session in the object that holds it. */
export interface Held {
  readonly core: SessionCore;
  readonly session: Session;
}

function rememberSession({ core, session }: Held): RememberedSession {
  const { number, expirySeconds, expiresAt, will, connection, resending, queued, backlog, nextPacketId } = session;
  const subscriptions = new Set(
    [...session.subscriptions.values()].map(({ request, identifier }) => `${JSON.stringify(request)} ${identifier}`),
  );
  const deliveries = new Map(deliveriesOf(core, session).map((delivery) => [delivery.packetId, rememberDelivery(delivery)]));
  const received = new Map(
    [...session.received].map(([packetId, { sequence, reasonCode }]) => [
      packetId,
      `${sequence} ${reasonCode === undefined ? "open" : "settled"}`,
    ]),
  );
  const released = new Set(session.released);
  const promised = [...session.owed].filter((cursor) => cursor.promised).map(({ filter, place, from }) => ({ filter, place, from }));
  const user = session.identity.userName;
  const had = session.had.toList().flatMap(exchangesText("had"));
  const lacks = session.lacks.toList().flatMap(exchangesText("lacks"));
  const moved = [...session.cameFrom.map(({ object, through }) => `came from ${object} with ${through}`), ...had, ...lacks];
  const lines = [
    `number ${number}, user ${user}, expires after ${expirySeconds} s`,
    `expires at ${expiresAt}`,
    `will ${will === undefined ? "none" : `${willText(will)} due at ${will.dueAt}${will.inGrace ? ", in grace" : ""}`}`,
    session.offered ? "offered" : "not offered",
    session.retired ? "retired" : "not retired",
    `subscriptions ${list(subscriptions)}`,
    `deliveries ${[...deliveries.values()].map(({ all }) => all).join("; ")}`,
    // What is to be sent again is found out when the client is back.
    `${connection === undefined ? "all" : resending.length + backlog.count - backlog.unsent} to send again`,
    `${queued.length + backlog.unsent} queued, ${session.waitingBytes} bytes`,
    `released ${[...released].join(" ")}`,
    `received ${list([...received].map(([packetId, what]) => `${packetId}:${what}`))}`,
    `next Packet Identifier ${nextPacketId}`,
    `owed ${[...session.owed].map(nameOfOwed).join("; ")}`,
    connection === undefined
      ? "away"
      : `connected, ${JSON.stringify(connection.facts)} ${connection.facts.packetBytesMax}, aliases ${list([...connection.aliases].map((pair) => pair.join("=")))}`,
  ];
  const pending = will && willText(will);
  return {
    number,
    expirySeconds,
    expiresAt,
    promised,
    user,
    will: pending,
    moved,
    nextPacketId,
    subscriptions,
    deliveries,
    released,
    received,
    lines,
  };
}

function exchangesText(what: string): (exchanges: OpenExchanges) => string[] {
  return ({ object, sequences }) => sequences.map((sequence) => `${what} ${sequence} of ${object}`);
}

function willText({ will: { topic, qos, retain, payload, properties } }: PendingWill): string {
  return `${topic} at QoS ${qos}${retain ? ", retained" : ""}, ${bytesText(payload)}, ${propertiesText(properties)}`;
}

function propertiesText(properties: Properties): string {
  return JSON.stringify(properties, (_name, value: unknown) => (value instanceof Uint8Array ? bytesText(value) : value));
}

function bytesText(bytes: Uint8Array): string {
  return `${bytes.length} bytes (${hash(String.fromCharCode(...bytes.subarray(0, 200)))})`;
}

/** All of a message. */
function messageText(message: Message): string {
  const { topic, qos, retain, payload, propertyBytes, expiresAt, publisher, repeated, settledBelow, formerly } = message;
  const flags = `${retain ? "retained " : ""}${repeated ? "repeated " : ""}`;
  return `${topic} at QoS ${qos} ${flags}of ${publisher}, expires at ${expiresAt}, settled below ${settledBelow}, formerly ${formerly?.sequence}, ${bytesText(payload)}, ${bytesText(propertyBytes)}`;
}

function nameOfOwed({ filter, place, from }: RetainedCursor): string {
  return `${filter} of ${place} from ${from}`;
}

function rememberDelivery({ packetId, qos, retain, sent, share, owed, message, sequence, identifiers }: Delivery): RememberedDelivery {
  // Of one that was sent and is in no row only its acknowledgement is awaited.
  const isKept = sequence !== 0 || !sent;
  const name = message && `${message.origin} ${message.sequence}`;
  const content = isKept ? `${name} ${retain} ${share} ${owed} ${identifiers?.join(",")} ${message && messageText(message)}` : "";
  const all = `${packetId} QoS ${qos} ${sent ? "sent" : "waits"} ${content}`;
  return {
    packetId,
    message: name,
    isStored: sequence !== 0,
    expiresAt: message?.expiresAt ?? 0,
    content: `QoS ${qos} ${content}`,
    all,
  };
}

/** After hibernation nothing differs. */
export function differences(before: Memory, after: Memory): string[] {
  const problems = different("", before.lines, after.lines);
  for (const clientId of new Set([...before.sessions.keys(), ...after.sessions.keys()])) {
    const [was, is] = [before.sessions.get(clientId), after.sessions.get(clientId)];
    problems.push(...different(`${clientId}: `, was?.lines ?? ["no session"], is?.lines ?? ["no session"]));
    for (const moved of was?.moved ?? []) if (is?.moved.includes(moved) === false) problems.push(`${clientId} lost that it ${moved}`);
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
    if (was.user !== is.user) lost(`its user: ${was.user}, now ${is.user}`);
    if (was.expirySeconds !== is.expirySeconds) lost(`its expiry: ${was.expirySeconds}, now ${is.expirySeconds}`);
    for (const { packetId, message, isStored, expiresAt, content } of was.deliveries.values()) {
      const isDue = isStored && (expiresAt === 0 || expiresAt > now);
      const there = is.deliveries.get(packetId);
      if (isDue && there?.message !== message) lost(`${message}, which waited as ${packetId}`);
      else if (isDue && there?.content !== content) lost(`what ${packetId} was: ${content}, now ${there?.content}`);
    }
    // What is settled may be there again.
    for (const moved of was.moved) if (!is.moved.includes(moved)) lost(`that it ${moved}`);
    for (const packetId of was.released) if (!is.released.has(packetId)) lost(`the release of ${packetId}`);
    const exchanges = (session: RememberedSession): string => list([...session.received.keys()]);
    if (exchanges(was) !== exchanges(is)) lost(`exchanges: ${exchanges(was)}, now ${exchanges(is)}`);
    if (was.will !== undefined && is.will !== was.will) lost(`its will: ${was.will}, now ${is.will}`);
    for (const { filter, place, from } of was.promised) {
      // What another Topic object owes now may begin earlier; of the same one it is where it was.
      const isOwed = is.promised.some((cursor) => {
        return cursor.filter === filter && (cursor.place === place ? cursor.from === from : compareTopics(cursor.from, from) <= 0);
      });
      if (!isOwed) lost(`what ${filter} is owed of ${place} from ${from}`);
    }
  }
  return problems;
}

/**
 * What a session lacks where it has moved to, when the object that had it is told to let it go. Nothing but its time and its number may
 * differ, nor what came to its former owner since, which is offered at its new one as well.
 * @param through the numbers of the last delivery that its former owner gave away, and of the last of a shared subscription
 */
export function lostInMove(was: Held, is: Held, through: { readonly all: number; readonly shared: number }, now: number): string[] {
  const [before, after] = [rememberSession(was), rememberSession(is)];
  const problems: string[] = [];
  const lost = (what: string): void => void problems.push(`${was.session.clientId} lost ${what} when it moved`);
  if (before.user !== after.user) lost(`its user: ${before.user}, now ${after.user}`);
  if (before.expirySeconds !== after.expirySeconds) lost(`its expiry: ${before.expirySeconds}, now ${after.expirySeconds}`);
  if (before.will !== undefined && before.will !== after.will) lost(`its will: ${before.will}, now ${after.will}`);
  // Of shared subscriptions it is no member any more, once it has given away what it was given.
  for (const subscription of before.subscriptions) if (!after.subscriptions.has(subscription)) lost(`the subscription ${subscription}`);
  if (list(before.released) !== list(after.released)) lost(`what was released: ${list(before.released)}, now ${list(after.released)}`);
  const exchanges = (session: RememberedSession): string => list([...session.received.keys()]);
  if (exchanges(before) !== exchanges(after)) lost(`exchanges: ${exchanges(before)}, now ${exchanges(after)}`);
  const here = deliveriesOf(is.core, is.session);
  for (const { message, sequence, packetId, share } of deliveriesOf(was.core, was.session)) {
    const isDue = message !== undefined && sequence !== 0 && sequence <= (share === "" ? through.all : through.shared);
    if (!isDue || (message.expiresAt !== 0 && message.expiresAt <= now)) continue;
    const [there, found] = [before.deliveries.get(packetId)!, after.deliveries.get(packetId)];
    // What came to its former owner while it moved came here by itself.
    const isHere = found?.message !== there.message && here.some((other) => isSame(other.message, message));
    if (found?.all !== there.all && !isHere) lost(`${there.all}, now ${found?.all}`);
  }
  return problems;
}

/** The same message, whichever life of the object where it entered has named it. */
function isSame(one: Message | undefined, other: Message): boolean {
  return one?.sequence === other.sequence && objectOf(one.origin) === objectOf(other.origin);
}
