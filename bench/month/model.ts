/**
 * What a month costs for so many clients that send so often: pure, from the price list, the limits of the broker and what was measured for
 * single messages. Says too where objects cannot carry it, and where the free plan ends.
 *
 * The load: every client publishes to a topic of its own and wants that of another one, at QoS 1, so that each message has one subscriber.
 * Clients know nothing of each other, so what they do comes at random times.
 */

import { DEADLINE_COARSE_MS, KEEP_ALIVE_FACTOR, LIVENESS_MS } from "../../src/limits.ts";
import { holdRules } from "../../src/objects/caller.ts";
import { FREE_A_DAY, PAID, WORKER } from "../prices.ts";
import type { CountedWay, Measured } from "./measured.ts";
import { rowsOfMessage, type WayOut, wayOut } from "./ways.ts";

/** `each`: an object for each client, `SESSION_SHARDS=0`, relayed; nothing of its own was counted. */
export type Way = CountedWay | "each";

export const WAYS: readonly Way[] = ["compact", "handed", "relayed", "each"];

export interface Fleet {
  readonly clients: number;
  /** All of them together. */
  readonly messagesPerSecond: number;
  /** Sessions outlive their connections. */
  readonly kept: boolean;
}

export const DAY_SECONDS = 86_400;
export const MONTH_DAYS = 30;
export const MONTH_SECONDS = MONTH_DAYS * DAY_SECONDS;

export const KEEP_ALIVE_SECONDS = 60;

/** How often a client connects anew: deploys, updates of the platform, networks. */
export const CONNECTIONS_A_DAY = 1;

/** Of the Worker for a connection: the upgrade, and checking a password, which takes most of it. */
const CONNECTION_CPU_MS = 20;

/**
 * The time that is billed for an event in an object. `listed`: by the words of the price list (read 2026-11) an object that is idle and may
 * hibernate is not billed, "even before the runtime has hibernated" it; so what counts is the time in which it works or waits for another
 * object, with which the list's own example has 10 ms for a message. `most`: as if an object were billed until it hibernates, ten seconds
 * after its last event.
 */
export const EVENT_SECONDS = { listed: 0.01, most: 10 } as const;

export type Reading = keyof typeof EVENT_SECONDS;

/** What one object takes by the platform's rule of thumb: requests and messages a second. */
export const OBJECT_EVENTS_A_SECOND = 1000;

/** Connections of one object before memory is short: with a subscription each, and `OBJECT_BYTES_MAX` as it is by default. */
export const OBJECT_CONNECTIONS = 7000;

/** A hash does not spread evenly: so full may objects be on average. */
const FILL = 0.8;

/** As the broker is deployed. */
const SHARDS_LEAST = 4;

/** What the price list has lines for. */
export interface MonthUnits {
  /** Connections, calls between objects, alarms, and socket messages, of which twenty count as one. */
  readonly requests: number;
  readonly rowsWritten: number;
  readonly rowsRead: number;
  /** Of all objects. */
  readonly gigabyteSeconds: Readonly<Record<Reading, number>>;
  readonly workerRequests: number;
  readonly workerCpuMs: number;
}

export interface Month {
  readonly sessionObjects: number;
  readonly topicObjects: number;
  /** A second and object, of those that have most to do. */
  readonly eventsOfObject: number;
  readonly units: MonthUnits;
  /** With the plan itself. */
  readonly dollars: Readonly<Record<Reading, number>>;
}

/**
 * The part of the time in which an object is awake whose events come at random times, each of which keeps it awake for so many seconds.
 */
export function awake(eventsPerSecond: number, seconds: number): number {
  return 1 - Math.exp(-eventsPerSecond * seconds);
}

/** PINGREQ of a client that sends so often and asks for a Keep Alive: it sends one when it has sent nothing for that long. */
export function pings(sendsPerSecond: number, keepAliveSeconds: number): number {
  return sendsPerSecond === 0 ? 1 / keepAliveSeconds : sendsPerSecond / Math.expm1(sendsPerSecond * keepAliveSeconds);
}

/** @returns a sentence where it does not fit, undefined where it does */
export function misfit(fleet: Fleet, way: Way): string | undefined {
  if (way === "compact" && fleet.clients > OBJECT_CONNECTIONS) return "not in one object";
  return undefined;
}

/** What is billed a second, and what objects have to do for it. */
interface Rates {
  readonly sessionObjects: number;
  readonly topicObjects: number;
  readonly calls: number;
  readonly socketMessages: number;
  readonly alarms: number;
  readonly rowsWritten: number;
  readonly connections: number;
  /** Of all Session objects together. */
  readonly sessionEvents: number;
  /** Of those, what does not follow from another one in a moment. */
  readonly sessionCauses: number;
  readonly topicEvents: number;
  /** The part of the time in which an object holds another one or is held, and does not sleep. */
  readonly sessionHeld: number;
  readonly topicHeld: number;
}

function ratesOf(fleet: Fleet, way: Way, measured: Measured, sessionObjects: number, topicObjects: number): Rates {
  const { clients, messagesPerSecond, kept } = fleet;
  const relayed = way === "relayed" || way === "each";
  // Each message is sent by one client and acknowledged by another one.
  const sends = (2 * messagesPerSecond) / clients;
  const pinged = clients * pings(sends, relayed ? LIVENESS_MS / 1000 : KEEP_ALIVE_SECONDS);
  const visit = measured.visits.find((each) => each.way === (way === "each" ? "relayed" : way) && each.kept === kept)!;
  const connections = (clients * CONNECTIONS_A_DAY) / DAY_SECONDS;
  const objects = Math.min(sessionObjects, clients);
  const { toTopics, toSessions } = waysOf(fleet, way, objects, topicObjects);
  const calls = toTopics.each.billed * toTopics.count + toSessions.each.billed * toSessions.count + connections * visit.calls;
  const callsIn = toSessions.each.calls * toSessions.count;
  const socketMessages = 2 * messagesPerSecond + pinged + connections * visit.socketMessages;
  const keepAliveMs = KEEP_ALIVE_SECONDS * 1000 * KEEP_ALIVE_FACTOR * (relayed ? 2 : 1) + (relayed ? LIVENESS_MS : 0);
  const alarms = objects / ((keepAliveMs + DEADLINE_COARSE_MS) / 1000);
  const stored = kept ? messagesPerSecond * rowsOfMessage(messagesPerSecond / objects) : 0;
  return {
    sessionObjects: objects,
    topicObjects,
    calls,
    socketMessages,
    alarms,
    rowsWritten: stored + alarms + connections * visit.rowsWritten,
    connections,
    sessionEvents: socketMessages + callsIn + alarms + connections,
    sessionCauses: messagesPerSecond + callsIn + pinged + alarms + connections,
    topicEvents: toTopics.each.calls * toTopics.count + (topicObjects === 0 ? 0 : connections * visit.calls),
    sessionHeld: heldOf(objects, toTopics, toSessions),
    topicHeld: heldOf(topicObjects, toTopics, toSessions),
  };
}

/** Ways of one direction, used alike. */
interface Ways {
  readonly count: number;
  readonly each: WayOut;
}

const NO_WAYS: Ways = { count: 0, each: { calls: 0, billed: 0, held: 0 } };

function waysOf(
  { clients, messagesPerSecond }: Fleet,
  way: Way,
  sessionObjects: number,
  topicObjects: number,
): Record<"toTopics" | "toSessions", Ways> {
  if (topicObjects === 0) return { toTopics: NO_WAYS, toSessions: NO_WAYS };
  const count = sessionObjects * topicObjects;
  // Each client has but one topic, and wants but one.
  const crowd = { average: clients / count, hashed: true, perSecond: messagesPerSecond / clients };
  const { toTopics, toSessions } = holdRules(way === "each" ? 0 : sessionObjects, topicObjects);
  return {
    toTopics: { count, each: wayOut(crowd, topicObjects, toTopics) },
    toSessions: { count, each: wayOut(crowd, sessionObjects, toSessions) },
  };
}

/** The part of the time in which one of so many objects holds another one or is held. */
function heldOf(objects: number, ...both: readonly Ways[]): number {
  if (objects === 0) return 0;
  return 1 - both.reduce((none, { count, each }) => none * (1 - each.held) ** (count / objects), 1);
}

/** The number of objects that carries the load: as deployed, or more. */
export function shardsFor(
  fleet: Fleet,
  way: Way,
  measured: Measured,
  eventsASecond = OBJECT_EVENTS_A_SECOND,
  least = SHARDS_LEAST,
): { session: number; topic: number } {
  if (way === "compact") return { session: 1, topic: 0 };
  let session = way === "each" ? fleet.clients : Math.max(least, Math.ceil(fleet.clients / (OBJECT_CONNECTIONS * FILL)));
  let topic = least;
  // More objects share less, which makes more calls: so until it fits.
  for (;;) {
    const { sessionEvents, topicEvents } = ratesOf(fleet, way, measured, session, topic);
    const wanted = (events: number): number => Math.ceil(events / (eventsASecond * FILL));
    const [sessions, topics] = [way === "each" ? session : wanted(sessionEvents), wanted(topicEvents)];
    if (sessions <= session && topics <= topic) return { session, topic };
    [session, topic] = [Math.max(session, sessions), Math.max(topic, topics)];
  }
}

/**
 * @param eventsASecond that one object takes
 * @param least objects of each kind where fewer would do
 */
export function month(fleet: Fleet, way: Way, measured: Measured, eventsASecond?: number, least?: number): Month {
  const { session, topic } = shardsFor(fleet, way, measured, eventsASecond, least);
  const rates = ratesOf(fleet, way, measured, session, topic);
  const units = unitsOf(fleet, way, measured, rates);
  return {
    sessionObjects: rates.sessionObjects,
    topicObjects: rates.topicObjects,
    eventsOfObject: Math.max(
      rates.sessionEvents / rates.sessionObjects,
      rates.topicObjects === 0 ? 0 : rates.topicEvents / rates.topicObjects,
    ),
    units,
    dollars: { listed: dollarsOf(units, "listed"), most: dollarsOf(units, "most") },
  };
}

export function awakeOrHeld(eventsPerSecond: number, seconds: number, held: number): number {
  return held + (1 - held) * awake(eventsPerSecond, seconds);
}

function unitsOf({ clients, messagesPerSecond, kept }: Fleet, way: Way, measured: Measured, rates: Rates): MonthUnits {
  const { sessionObjects, topicObjects, sessionEvents, sessionCauses, topicEvents, sessionHeld, topicHeld } = rates;
  const gigabyteSeconds = (reading: Reading): number => {
    const seconds = EVENT_SECONDS[reading];
    // What follows from something in a moment keeps nobody awake for much longer, but has to be done.
    const events = reading === "most" ? sessionCauses : sessionEvents;
    const sessions = awakeOrHeld(events / sessionObjects, seconds, sessionHeld);
    const topics = topicObjects === 0 ? 0 : awakeOrHeld(topicEvents / topicObjects, seconds, topicHeld);
    return (sessionObjects * sessions + topicObjects * topics) * MONTH_SECONDS * PAID.gigabytesOfObject;
  };
  const perSecond = sessionCauses / sessionObjects;
  // Who has slept for ten seconds begins anew.
  const wakes = sessionObjects * perSecond * Math.exp(-perSecond * EVENT_SECONDS.most);
  const restored = measured.wake.rows + (kept ? (measured.wake.rowsOfSession * clients) / sessionObjects : 0);
  const relayCpuMs = way === "relayed" || way === "each" ? messagesPerSecond * relayCpuMsOf(measured) : 0;
  return {
    requests: (rates.calls + rates.alarms + rates.connections + rates.socketMessages / PAID.socketMessagesForRequest) * MONTH_SECONDS,
    rowsWritten: rates.rowsWritten * MONTH_SECONDS,
    rowsRead: wakes * restored * MONTH_SECONDS + (kept ? messagesPerSecond * MONTH_SECONDS : 0),
    gigabyteSeconds: { listed: gigabyteSeconds("listed"), most: gigabyteSeconds("most") },
    workerRequests: rates.connections * MONTH_SECONDS,
    workerCpuMs: (rates.connections * CONNECTION_CPU_MS + relayCpuMs) * MONTH_SECONDS,
  };
}

/** Where processor time is of messages, and not of a process that is there. */
const MUCH_A_SECOND = 1000;

/** Processor time of the relay for a message, both its ways: what relayed connections take beyond those that were handed over. */
export function relayCpuMsOf({ paced }: Pick<Measured, "paced">): number {
  const cpu = (way: CountedWay): number[] =>
    paced.filter((row) => row.way === way && !row.kept && row.messagesPerSecond >= MUCH_A_SECOND).map(({ cpuMs }) => cpuMs ?? 0);
  const [relayed, handed] = [cpu("relayed"), cpu("handed")];
  return Math.max(0, ...relayed.map((value, index) => value - handed[index]!));
}

function dollarsOf(units: MonthUnits, reading: Reading): number {
  const beyond = (used: number, included: number, million: number): number => (Math.max(0, used - included) / 1e6) * million;
  return (
    PAID.month +
    beyond(units.requests, PAID.includedRequests, PAID.millionRequests) +
    beyond(units.rowsWritten, PAID.includedRowsWritten, PAID.millionRowsWritten) +
    beyond(units.rowsRead, PAID.includedRowsRead, PAID.millionRowsRead) +
    beyond(units.gigabyteSeconds[reading], PAID.includedGigabyteSeconds, PAID.millionGigabyteSeconds) +
    beyond(units.workerRequests, WORKER.includedRequests, WORKER.millionRequests) +
    beyond(units.workerCpuMs, WORKER.includedCpuMs, WORKER.millionCpuMs)
  );
}

/** What of the free plan is used up in a day: above 1 it does not do. */
export function freePlanUsed({ units }: Month, reading: Reading): number {
  const day = (count: number): number => count / MONTH_DAYS;
  return Math.max(
    day(units.requests) / FREE_A_DAY.requests,
    day(units.rowsWritten) / FREE_A_DAY.rowsWritten,
    day(units.rowsRead) / FREE_A_DAY.rowsRead,
    day(units.gigabyteSeconds[reading]) / FREE_A_DAY.gigabyteSeconds,
    day(units.workerRequests) / WORKER.freeRequestsADay,
  );
}

/** The largest number up to a bound with which the free plan does. @param fleet for so many @returns 0 if none does */
export function freePlanEnds(
  fleet: (count: number) => Fleet,
  way: Way,
  measured: Measured,
  reading: Reading,
  bound = OBJECT_CONNECTIONS,
): number {
  const fits = (count: number): boolean => freePlanUsed(month(fleet(count), way, measured), reading) <= 1;
  let [from, to] = [0, bound + 1];
  while (to - from > 1) {
    const middle = (from + to) >> 1;
    if (fits(middle)) from = middle;
    else to = middle;
  }
  return from;
}

/** The rule of thumb of docs/costs.md, for clean sessions on one object, or on the eight of a deploy. */
export const RULE = {
  /** Compact, messages a second in all that the plan's price has in it, and dollars for each beyond. */
  included: 4,
  compact: 0.04,
  /** Sharded, up to so many messages a second in all, dollars for each, and what running time makes of it at most. */
  single: 60,
  sharded: 0.82,
  running: 28,
  /** From so many on calls are held, and no object sleeps; relayed the Worker's processor time is more than nothing. */
  dense: 80,
  relayed: 0.05,
} as const;

/** @returns undefined between what is single and what is dense: there it becomes less with each message */
export function ruleOfThumb({ messagesPerSecond }: Fleet, way: CountedWay): Readonly<Record<Reading, number>> | undefined {
  if (way === "compact") {
    const dollars = PAID.month + RULE.compact * Math.max(0, messagesPerSecond - RULE.included);
    return { listed: dollars, most: dollars };
  }
  if (messagesPerSecond >= RULE.dense) {
    const dollars = PAID.month + RULE.running + (way === "relayed" ? RULE.relayed : RULE.compact) * messagesPerSecond;
    return { listed: dollars, most: dollars };
  }
  if (messagesPerSecond > RULE.single) return undefined;
  const calls = PAID.month + RULE.sharded * messagesPerSecond;
  return { listed: calls, most: calls + RULE.running };
}
