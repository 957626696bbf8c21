/**
 * The promises, checked when all is quiet: what was acknowledged at QoS 1 and 2 has reached every durable subscription that stood when
 * it was sent, at QoS 2 once; order holds for each publisher, topic and QoS; nobody got what it had not subscribed to; wills were
 * published when they had to be and not otherwise; the last retained message is the one that is kept; what is stored and what objects
 * remember has gone back to its minimum.
 */

import { RESTART_GRACE_MS } from "../../src/limits.ts";
import type { QoS } from "../../src/mqtt/packet.ts";
import { sessionObjectName, topicObjectOf } from "../../src/objects/names.ts";
import { matches } from "../../src/topic/filter.ts";
import { LONG_SECONDS, SimulatedClient } from "./client.ts";
import { wants } from "./receipt.ts";
import type { Got, Held, Published } from "./records.ts";
import { isOwnRow } from "./rows.ts";
import { LASTING_SECONDS, type Scenario, SHARED_FILTER } from "./run.ts";
import { BEGINNING, calm, type World } from "./world.ts";

/** What is on its way between a client and its object may take so long. */
const ON_ITS_WAY_MS = 5_000;

export function checkPromises(scenario: Scenario, gone: readonly SimulatedClient[]): string[] {
  const { world, clients, members } = scenario;
  const problems: string[] = [];
  for (const client of clients) {
    problems.push(...client.problems.map((problem) => `${client.id}: ${problem}`));
    if (gone.includes(client)) continue;
    if (!client.connected) problems.push(`${client.id} can't connect in peace`);
    else if (!client.quiet) problems.push(`${client.id} waits for an answer that does not come`);
  }
  problems.push(...checkWills(scenario, gone));
  for (const client of clients) {
    problems.push(...checkDeliveries(scenario, client, gone));
    if (!members.includes(client)) problems.push(...checkOrder(client, scenario));
  }
  problems.push(...checkShares(scenario, gone));
  for (const object of world.objects) {
    const { chunks } = object.stored();
    // Until the next alarm, or for ever.
    if (object.sessionHost?.core.consumers?.all.some(({ waiting }) => waiting > 0)) continue;
    if (chunks > 1 && gone.length === 0) problems.push(`${object.name} keeps ${chunks} chunks of a log that everybody has read`);
  }
  return problems;
}

/** It sends no faster than clients may where they have a rate. */
const PROBE_PAUSE_MS = 2_000;

/** A client that only looks. */
const PROBE = {
  version: 5,
  expirySeconds: 0,
  keepAliveSeconds: 0,
  slowMs: 0,
  receiveMaximum: undefined,
  will: undefined,
  long: false,
} as const;

function describe({ number, topic, qos, publisher, kind }: Published): string {
  return `${kind} ${number} (${topic}, QoS ${qos}, of ${publisher})`;
}

function byNumber(client: SimulatedClient): Map<number, Got[]> {
  const found = new Map<number, Got[]>();
  for (const got of client.got) {
    const others = found.get(got.number);
    if (others === undefined) found.set(got.number, [got]);
    else others.push(got);
  }
  return found;
}

/** A subscription stood from before the message on, and was never changed since. */
function stood(held: readonly Held[], { sentAt, qos }: Published): number {
  const standing = held.filter(({ since, until }) => since !== undefined && since < sentAt && until === undefined);
  return Math.max(-1, ...standing.map((each) => Math.min(each.qos, qos)));
}

function checkDeliveries(scenario: Scenario, client: SimulatedClient, gone: readonly SimulatedClient[]): string[] {
  const { world, published, members, crashes, short, reshaped } = scenario;
  const problems: string[] = [];
  const found = byNumber(client);
  for (const message of published) {
    const got = found.get(message.number) ?? [];
    const held = client.held.filter((each) => wants(each, message, client.id));
    const came = message.kind !== "will" && got.length > 0;
    if (came && held.every(({ ended = Number.POSITIVE_INFINITY }) => ended < message.sentAt))
      problems.push(`${client.id} got ${describe(message)} without a subscription`);
    const isAwaited =
      !short &&
      client.durable &&
      !members.includes(client) &&
      !gone.includes(client) &&
      message.kind !== "clearing" &&
      isLasting(message) &&
      isFor(client, message);
    if (isAwaited && message.acknowledgedAt !== undefined && stood(held, message) > 0 && got.length === 0) {
      problems.push(`${client.id} never got ${describe(message)}`);
    }
    // A crash repeats a will rather than loses it.
    if (crashes && message.kind === "will") continue;
    // To the same member it comes once: its object knows what it gave. But for what is passed on under another name.
    const isNamed = isKept(scenario, message.publisher);
    if (members.includes(client) && (reshaped || !isNamed) && mayBeTwo(scenario, message)) continue;
    // Without such a name a session that has moved can't tell what it had where it was.
    if (reshaped && !isNamed) continue;
    // One that a full queue has refused, whose publisher did not hear that, comes again to those who took it.
    if (short && message.repeated) continue;
    // A client whose session is not kept is promised nothing over a crash.
    if (message.inDoubt) continue;
    // The retained copy for a new subscription comes besides the live one.
    const copies = got.filter(({ qos, retain }) => qos === 2 && !retain);
    const sessions = copies.map(({ session }) => session);
    if (new Set(sessions).size === sessions.length) continue;
    // A client whose session is not kept is promised nothing over a reset.
    if (!client.durable && resetBetween(world, message.sentAt, copies.at(-1)!.at) > 0) continue;
    problems.push(`${client.id} got ${describe(message)} ${sessions.length} times at QoS 2`);
  }
  return problems;
}

function isLasting({ expirySeconds }: Published): boolean {
  return expirySeconds === 0 || expirySeconds === LASTING_SECONDS;
}

/** Whether it is small enough for a client. */
function isFor({ options: { packetBytesMax = 0 } }: SimulatedClient, { content: { payload } }: Published): boolean {
  return packetBytesMax === 0 || payload.length < packetBytesMax / 2;
}

/** How many objects were reset in a time. */
function resetBetween({ forgotten }: World, from: number, to: number): number {
  return new Set(forgotten.filter(({ at, reset }) => reset && at >= from && at <= to).map(({ name }) => name)).size;
}

/** Whether a copy that came with RETAIN may be none for a new subscription: one that stood by then wants it as published. */
function mayBeLive({ held, id }: SimulatedClient, message: Published, at: number): boolean {
  return held.some((each) => each.retainAsPublished && (each.ended ?? at) >= message.sentAt && wants(each, message, id));
}

/** First copies come in the order in which they were published, for each publisher, topic and QoS. */
function checkOrder(client: SimulatedClient, { world, published, short, crashes }: Scenario): string[] {
  // What a full queue dropped may come back with a reset.
  if (short && crashes) return [];
  const problems: string[] = [];
  const last = new Map<string, number>();
  const seen = new Set<number>();
  for (const { number, qos, at, retain } of client.got) {
    if (seen.has(number)) continue;
    const message = published[number]!;
    if (retain) {
      // Of a subscription that wants RETAIN as published it may be the live copy. What comes of the message after that is a repeat of it.
      if (mayBeLive(client, message, at)) seen.add(number);
      continue;
    }
    seen.add(number);
    const { publisher, topic, qos: publishedQoS, sentAt, kind, expirySeconds, repeated, acknowledgedAt } = message;
    // The first copy of a message that expires, found a full queue or was refused may have come to nothing before its publisher repeated it.
    if (kind === "will" || expirySeconds > 0 || ((short || world.refusals.has(number)) && repeated)) continue;
    // An earlier copy may have found nobody: before the subscription stood, and where QoS 0 is all that it has and the client was away.
    const stands = client.held.some(
      (each) =>
        each.since !== undefined && each.since < sentAt && (each.until ?? at) >= at && each.qos >= qos && wants(each, message, client.id),
    );
    if (!stands || qos < publishedQoS) continue;
    // A late call of an earlier life is not known as one when its receiver has lost its memory too. It brings what nobody acknowledged.
    if ((qos === 0 || acknowledgedAt === undefined) && resetBetween(world, sentAt, at) > 1) continue;
    const key = `${publisher} ${topic} ${publishedQoS} ${qos}`;
    const before = last.get(key) ?? -1;
    if (number < before)
      problems.push(`${client.id} got message ${number} of ${publisher} on ${topic} at QoS ${qos} after message ${before}`);
    else last.set(key, number);
  }
  return problems;
}

function isKept({ clients }: Scenario, publisher: string): boolean {
  return clients.some(({ id, options }) => id === publisher && options.expirySeconds > 0);
}

/** Whether the object that gave it to a member may have had none left when it came again: then nobody asks it. */
function isUnasked(
  { members, world: { settings } }: Scenario,
  { number, sentAt, acknowledgedAt = Number.POSITIVE_INFINITY }: Published,
): boolean {
  const homeOf = ({ id }: SimulatedClient): string => sessionObjectName(settings, "n", id);
  const stays = ({ held, sessionsLost }: SimulatedClient): boolean =>
    !sessionsLost.some((at) => at >= sentAt) &&
    held.some(({ filter, since = Number.POSITIVE_INFINITY, until = Number.POSITIVE_INFINITY }) => {
      return filter === SHARED_FILTER && since <= sentAt && until > acknowledgedAt;
    });
  const staying = new Set(members.filter(stays).map(homeOf));
  return members.some((member) => member.got.some((each) => each.number === number) && !staying.has(homeOf(member)));
}

/**
 * Whether a message of a shared subscription at QoS 2 may have been given to two members, or twice to one. It must have been handled
 * twice: its Topic object was reset before its publisher had the answer, or hibernated behind an answer that was lost, or the
 * publisher's object was reset and the publisher repeated it. And members must have come, gone, connected or been lost about then:
 * otherwise the choice falls on the same one, and is recognised there.
 */
function mayBeTwo(scenario: Scenario, message: Published): boolean {
  const { topic, publisher, sentAt, acknowledgedAt = Number.POSITIVE_INFINITY } = message;
  const {
    world: { settings, forgotten, unanswered },
    members,
    reshaped,
  } = scenario;
  // One object does it all in one step.
  if (settings.topology === "compact") return false;
  // What has a name is asked for first, in each object that has members.
  if (!reshaped && isKept(scenario, publisher)) return isUnasked(scenario, message);
  const between = (at: number | undefined, from: number): boolean => at !== undefined && at >= from && at <= acknowledgedAt;
  // In another shape others were the owners.
  const isEntry = (name: string): boolean => reshaped || name === sessionObjectName(settings, "n", publisher);
  const isOwner = (name: string): boolean => reshaped || name === topicObjectOf(settings, "n", topic);
  const isUnanswered = unanswered.some(({ from, to, at }) => isEntry(from) && isOwner(to) && between(at, sentAt));
  const isTwice = forgotten.some(({ name, at, reset }) => {
    return between(at, sentAt) && ((isOwner(name) && (reset || isUnanswered)) || (isEntry(name) && reset));
  });
  if (!isTwice) return false;
  // What changed before may have been told to the Topic object between the two times.
  const isMeanwhile = (at: number | undefined): boolean =>
    between(at, settings.choices.sharedStrategy === "sticky" ? 0 : sentAt - ON_ITS_WAY_MS);
  return members.some(
    ({ held, lives }) =>
      held.some(({ since, until, ended }) => [since, until, ended].some(isMeanwhile)) ||
      lives.some(({ since, endAt, heardAt }) => [since, endAt, heardAt].some(isMeanwhile)),
  );
}

/** Each message reaches one member while there is one, at QoS 2 once. */
function checkShares(scenario: Scenario, gone: readonly SimulatedClient[]): string[] {
  const { members, published, short } = scenario;
  const problems: string[] = [];
  if (members.length === 0) return problems;
  const got = members.flatMap((member) => member.got);
  const count = new Map<number, number>();
  for (const { number, qos } of got) count.set(number, (count.get(number) ?? 0) + (qos === 2 ? 1 : 0));
  const reached = new Set(got.map(({ number }) => number));
  // Only a session that lasts keeps what it was given; one that is gone keeps it for itself.
  const keeps = ({ options }: SimulatedClient): boolean => options.expirySeconds === LONG_SECONDS;
  const lasting = members.every((member) => keeps(member) && !gone.includes(member));
  for (const message of published) {
    if (!message.topic.startsWith("s/") || message.acknowledgedAt === undefined) continue;
    const isDue = members.some((member) => stood(member.held, message) > 0);
    const isForAll = isLasting(message) && members.every((member) => isFor(member, message));
    // [MQTT5-4.8.2-5]: what was begun at QoS 2 with one member goes to nobody else, and ends with its session.
    const mayHaveEnded = message.qos === 2 && members.some(({ sessionsLost }) => sessionsLost.some((at) => at >= message.sentAt));
    if (isDue && isForAll && lasting && !short && !mayHaveEnded && !reached.has(message.number))
      problems.push(`no member of ${SHARED_FILTER} got ${describe(message)}`);
    // A member that can't tell whether its session went on takes a message again.
    const sessions = (member: SimulatedClient): number =>
      new Set(member.got.filter((each) => each.number === message.number).map(({ session }) => session)).size;
    const isSure = members.every((member) => sessions(member) < 2) && !(short && message.repeated);
    const isOnce = lasting && isSure && !message.inDoubt && !mayBeTwo(scenario, message);
    if (isOnce && (count.get(message.number) ?? 0) > 1)
      problems.push(`members of ${SHARED_FILTER} got ${describe(message)} twice at QoS 2`);
  }
  return problems;
}

/** Which wills must have been published and which must not; those that must count as acknowledged from the end of their connection on. */
function checkWills(scenario: Scenario, gone: readonly SimulatedClient[]): string[] {
  const { world, clients, crashes } = scenario;
  const problems: string[] = [];
  const reached = new Set(clients.flatMap(({ got }) => got.map(({ number }) => number)));
  for (const client of clients) {
    for (const { will, willDelaySeconds, since, end, endAt, heardAt, nextAt, backAt, resumed, rude, contested } of client.lives) {
      if (will === undefined) continue;
      const wrong = (why: string): void => {
        if (reached.has(will.number))
          problems.push(`${describe(will)} was published although ${why} (${since - BEGINNING} to ${endAt - BEGINNING})`);
      };
      if (end === undefined) wrong("its client is connected");
      const awayMs = backAt === undefined ? Number.POSITIVE_INFINITY : backAt - heardAt;
      // A connection that was opened just before or at once may have come between.
      const wasAlone = !contested && (nextAt === undefined || nextAt - endAt > ON_ITS_WAY_MS);
      // An operator who bans it may have ended the connection, with its will, before the DISCONNECT was there.
      const isBanned = world.operator?.mayBan(client.id, endAt) ?? false;
      if (end === "disconnect" && !rude && !crashes && wasAlone && !isBanned) wrong("its client said DISCONNECT");
      if (world.clocksJump) continue;
      // A session that expires in the grace takes its will with it.
      const { expirySeconds } = client.options;
      const outlasts = expirySeconds === 0 || expirySeconds * 1000 >= RESTART_GRACE_MS;
      // Another connection of its client that came late may have taken its place before the object was reset.
      if (end === "cut" && outlasts && !rude && !contested && awayMs < RESTART_GRACE_MS - ON_ITS_WAY_MS)
        wrong("its client came back in the grace");
      const dueMs = Math.min(willDelaySeconds, expirySeconds) * 1000;
      if (end !== "disconnect" && resumed && awayMs < dueMs - ON_ITS_WAY_MS) wrong("its client came back before the Will Delay was over");
    }
    const last = client.lives.at(-1);
    // An object that was reset and whom no other client wakes may sleep on for longer than a run lasts, until its coarse alarm: of a client
    // behind a relay, which watches its Keep Alive, as of one with a long Keep Alive.
    const isAlone = world.settings.sessionShards === 0 || (last !== undefined && last.since < world.reshapedAt);
    const mayOversleep = crashes && isAlone && (client.options.relayed || client.options.keepAliveSeconds > 20);
    const isDue = gone.includes(client) && last?.end === "drop" && last.endAt >= scenario.peaceAt && !last.contested && !mayOversleep;
    if (isDue && last.will !== undefined) last.will.acknowledgedAt = last.will.sentAt;
  }
  return problems;
}

/** One probe for each topic and a new client show what is routed and retained; then everybody leaves and all is tidied. */
export async function checkAtRest(scenario: Scenario, gone: readonly SimulatedClient[]): Promise<string[]> {
  const { world, clients } = scenario;
  const problems: string[] = [];
  const present = clients.filter((client) => !gone.includes(client));
  problems.push(...checkSessions(scenario, gone));
  problems.push(...(await checkRetained(scenario, present)));
  for (const object of world.objects) await object.wake();
  problems.push(...checkRoutes(scenario));
  for (const client of present) client.disconnect();
  await calm(world, 2 * 3_600_000);
  let wills = 0;
  // One that moved may be left behind where it was until its client is back.
  const sessions = new Set<string>();
  for (const object of world.objects) {
    const stored = object.stored();
    wills += stored.wills;
    for (const row of object.sessionStore.sessions()) if (!isOwnRow(row)) sessions.add(row.clientId);
    if (stored.chunks > 1 && gone.length === 0) problems.push(`${object.name} keeps ${stored.chunks} chunks after everybody has left`);
  }
  if (wills > 0) problems.push(`${wills} wills are stored after everybody has left`);
  for (const { id, options, lastsSeconds, wasTakenOver } of clients) {
    const isKept = sessions.delete(id);
    // Another user, as whom its client connected without ever hearing an answer, has ended it; what that one began may be lost.
    if (!isKept && lastsSeconds === LONG_SECONDS && !wasTakenOver)
      problems.push(`the session of ${id} is not stored after everybody has left`);
    if (isKept && options.expirySeconds < LONG_SECONDS) problems.push(`the session of ${id} is stored, which should be over`);
  }
  for (const clientId of sessions) problems.push(`a session of ${clientId} is stored after everybody has left`);
  return problems;
}

/** When the last sessions have ended, nothing of them is left in rows or in memory, nor a route that a message meets. */
export async function checkTidied({ world, clients, published }: Scenario): Promise<string[]> {
  const problems: string[] = [];
  // Who is refused, because the session is that of a user as whom it has been here, tries as that one.
  for (let attempt = 1; attempt <= 4; attempt += 1) {
    for (const client of clients) if (attempt === 1 || !client.connected) client.endSession();
    await calm(world, 20_000);
  }
  for (const client of clients) client.disconnect();
  await calm(world, 10_000);
  const probe = new SimulatedClient(world, { ...PROBE, id: "last" }, published);
  probe.connect();
  await calm(world, 5_000);
  const topics = [...new Set(published.map(({ topic }) => topic))];
  for (const topic of topics) {
    probe.publish(topic, 1);
    await calm(world, PROBE_PAUSE_MS);
  }
  probe.disconnect();
  await calm(world, 2 * 3_600_000);
  for (const object of world.objects) {
    await object.wake();
    const { sessions, subscriptions, wills, chunks } = object.stored();
    if (sessions + subscriptions + wills > 0) {
      problems.push(`${object.name} keeps ${sessions} sessions, ${subscriptions} subscriptions, ${wills} wills when all is over`);
    }
    if (chunks > 1) problems.push(`${object.name} keeps ${chunks} chunks when all is over`);
    for (const { filter, sessionObject } of object.routingStore.routes()) {
      const plain = filter === SHARED_FILTER ? "s/#" : filter;
      const isMet = topics.some((topic) => isOwned(world, topic, object.name) && matches(plain, topic));
      if (isMet && !world.clocksJump) problems.push(`${object.name} keeps a route for ${filter} to ${sessionObject} when all is over`);
    }
    const core = object.sessionHost?.core;
    if (core === undefined) continue;
    const left = [
      core.sessions,
      core.connections,
      core.interests,
      core.shares,
      core.sharesOf,
      core.openExchanges,
      core.waitingInMemory,
    ].map(({ size }) => size);
    if (left.some((size) => size > 0) || core.deadlines.size > 1) {
      problems.push(`${object.name} remembers ${left.join(", ")} things and ${core.deadlines.size} deadlines when all is over`);
    }
  }
  return problems;
}

function isOwned({ settings }: World, topic: string, topicObject: string): boolean {
  return topicObjectOf(settings, "n", topic) === topicObject;
}

/** Every Packet Identifier is free again, and every subscription that was acknowledged stands. */
function checkSessions({ world, clients }: Scenario, gone: readonly SimulatedClient[]): string[] {
  const problems: string[] = [];
  const absent = new Set(gone.map(({ id }) => id));
  for (const object of world.objects) {
    for (const session of object.sessionHost?.core.sessions.values() ?? []) {
      const { clientId, outstanding, released, received } = session;
      // What is left of sessions that moved away stays for a while; no client has such an identifier.
      if (absent.has(clientId) || clientId.startsWith("\0")) continue;
      const open = outstanding + released.size;
      if (open > 0) problems.push(`${object.name} has ${open} messages for ${clientId} that were never acknowledged`);
      if (received.size > 0) problems.push(`${object.name} has ${received.size} messages of ${clientId} that were never released`);
      const held = clients.find(({ id }) => id === clientId)?.held ?? [];
      for (const { filter, since, until } of held) {
        const stands = since !== undefined && until === undefined;
        if (stands && !session.subscriptions.has(filter))
          problems.push(`${object.name} forgot the subscription of ${clientId} to ${filter}`);
      }
    }
  }
  return problems;
}

/** The retained message of each topic is the last one, as far as there is a last one. */
async function checkRetained({ world, published }: Scenario, present: readonly SimulatedClient[]): Promise<string[]> {
  const rest = async (): Promise<void> => {
    for (const client of present) client.ping();
    await calm(world, 10_000);
  };
  const problems: string[] = [];
  const topics = new Set(published.filter(({ retain, kind }) => retain && kind !== "clearing").map(({ topic }) => topic));
  const probe = new SimulatedClient(world, { ...PROBE, id: "probe" }, published);
  probe.connect();
  await rest();
  probe.subscribe("#", 2);
  await rest();
  for (const topic of topics) {
    const candidates = published.filter((each) => each.topic === topic && each.retain && !each.forbidden);
    const found = probe.got.find(({ number, retain }) => retain && published[number]!.topic === topic);
    const acknowledged = candidates.filter(({ acknowledgedAt }) => acknowledgedAt !== undefined);
    // Nobody knows when one that was not acknowledged took effect.
    const isLast = ({ acknowledgedAt = Number.POSITIVE_INFINITY }: Published): boolean =>
      acknowledged.every(({ sentAt }) => sentAt <= acknowledgedAt);
    if (found === undefined) {
      const mayBeEmpty =
        acknowledged.every(({ kind }) => kind === "clearing") ||
        candidates.some((each) => (each.kind === "clearing" || !isLasting(each)) && isLast(each));
      if (!mayBeEmpty) problems.push(`no message is retained on ${topic}`);
    } else if (!isLast(published[found.number]!))
      problems.push(`${describe(published[found.number]!)} is retained, although a newer one was acknowledged`);
  }
  // Live messages on every topic find routes that nobody needs any more.
  probe.unsubscribe("#");
  await rest();
  const probes = [...new Set(published.map(({ topic }) => topic))];
  for (const topic of probes) {
    probe.publish(topic, 1 as QoS);
    for (const client of present) client.ping();
    await calm(world, PROBE_PAUSE_MS);
  }
  await rest();
  probe.disconnect();
  await rest();
  problems.push(...probe.problems.map((problem) => `probe: ${problem}`));
  return problems;
}

/** Topic objects know exactly the filters that are wanted, but for stale ones that no message has found. */
function checkRoutes({ world, published }: Scenario): string[] {
  const problems: string[] = [];
  const { settings } = world;
  if (settings.topology === "compact") return problems;
  const topics = new Set(published.map(({ topic }) => topic));
  const wanted = new Map<string, Set<string>>();
  for (const object of world.objects) {
    const core = object.sessionHost?.core;
    if (core === undefined) continue;
    // While its former owner has not heard that a session is here, that one is the member that Topic objects must know.
    const shares = [...core.shares.values()].filter(({ members }) => [...members].some(({ cameFrom }) => cameFrom.length === 0));
    wanted.set(object.name, new Set([...core.subscriptions.filters(), ...shares.map(({ filter }) => filter)]));
  }
  for (const object of world.objects) {
    if (!object.isTopic) continue;
    const here = [...topics].filter((topic) => isOwned(world, topic, object.name));
    const routes = object.routingStore.routes();
    for (const [sessionObject, filters] of wanted) {
      for (const filter of filters) {
        const plain = filter === SHARED_FILTER ? "s/#" : filter;
        const isThere = routes.some((route) => route.sessionObject === sessionObject && route.filter === filter);
        if (!isThere && here.some((topic) => matches(plain, topic)))
          problems.push(`${object.name} has no route for ${filter} to ${sessionObject}`);
      }
    }
    for (const { sessionObject, filter } of routes) {
      const filters = wanted.get(sessionObject);
      if (filters === undefined || filters.has(filter) || filter === SHARED_FILTER) continue;
      const found = here.filter((topic) => matches(filter, topic) && ![...filters].some((each) => matches(each, topic)));
      // Behind a clock that was set back the word of its Session object is taken for older than the route.
      if (found.length > 0 && !world.clocksJump)
        problems.push(`${object.name} keeps a route for ${filter} to ${sessionObject}, which nobody wants`);
    }
  }
  return problems;
}
