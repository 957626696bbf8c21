/** What holds in a Session object after every single event: queues, windows and tables stay within their bounds, and fit together. */

import type { Limits } from "../../src/limits.ts";
import { isConsumerRow } from "../../src/session/consumer-rows.ts";
import type { SessionCore } from "../../src/session/core.ts";
import { readWillName } from "../../src/session/pending-will.ts";
import { Session } from "../../src/session/session.ts";
import type { PieceSizes } from "../../src/storage-limits.ts";
import { isOwnRow, type Rows } from "./rows.ts";
import { UNLUCKY } from "./unlucky.ts";

export function brokenBounds(core: SessionCore, limits: Limits): string[] {
  const problems: string[] = [];
  const expect = (holds: boolean, what: string): void => {
    if (!holds) problems.push(what);
  };
  let connected = 0;
  for (const session of core.sessions.values()) {
    if (session.connection !== undefined) connected += 1;
    for (const problem of brokenSession(session, limits, core.sizes)) problems.push(`${session.clientId}: ${problem}`);
  }
  expect(connected === core.connections.size, `${core.connections.size} connections, of which ${connected} have a session`);
  expect(core.connections.size <= limits.connectionsMax, `${core.connections.size} connections`);
  // Keep Alive for each connection; expiry, will and slowness for each session; the next attempt and slowness for each consumer; each will
  // that nobody took; the log; the watch over wills.
  const consumers = core.consumers?.all ?? [];
  const deadlinesMax = core.connections.size + 3 * core.sessions.size + 2 * consumers.length + core.rests.size + 3;
  for (const { plan, waiting, holds } of consumers) {
    const held = holds?.length ?? 0;
    expect(waiting <= limits.queueMessagesMax + held, `${waiting} messages wait for the consumer ${plan.name}`);
  }
  expect(core.deadlines.size <= deadlinesMax, `${core.deadlines.size} deadlines, where ${deadlinesMax} may be`);
  const filters = new Set(core.subscriptions.filters());
  expect(filters.size === core.interests.size, `${core.interests.size} interests in ${filters.size} filters`);
  for (const filter of core.interests.keys()) expect(filters.has(filter), `an interest in ${filter} without a subscription`);
  for (const { filter, members } of core.shares.values()) {
    // One that was left by the last of them is there until that has had its turn.
    const isBeingLeft = [...core.deaf].some(({ subscriptions }) => subscriptions.has(filter));
    expect(members.size > 0 || isBeingLeft, `${filter} without members`);
    for (const member of members) {
      expect(core.sessions.get(member.clientId) === member, `${member.clientId} is a member of ${filter} after its session`);
    }
  }
  for (const session of core.slowing.sessions) {
    if (!(session instanceof Session)) continue;
    expect(core.sessions.get(session.clientId) === session, `publishers wait for ${session.clientId} after its session`);
    expect((session.holds?.length ?? 0) > 0, `${session.clientId} is slow, and nobody waits for it`);
  }
  for (const { filter, backlogs, members } of core.backlogs) {
    for (const owner of backlogs) expect(members.has(owner), `${owner.clientId} has a backlog of ${filter} and is no member`);
  }
  for (const session of core.openExchanges.values()) {
    expect(core.sessions.get(session.clientId) === session, `an open exchange of ${session.clientId} after its session`);
  }
  return problems;
}

function brokenSession(session: Session, limits: Limits, sizes: PieceSizes): string[] {
  const { connection, deliveries, backlog, released, queued, resending, received } = session;
  const problems: string[] = [];
  const expect = (holds: boolean, what: string): void => {
    if (!holds) problems.push(what);
  };
  // Behind a full queue there may be what its publishers do not take for safe yet.
  const held = session.holds?.length ?? 0;
  const { waiting } = session;
  expect(waiting <= limits.queueMessagesMax + held, `${waiting} messages are queued, and the publishers of ${held} wait`);
  expect(held <= limits.receiveMaximum, `${held} publishers wait`);
  expect(held === 0 || connection !== undefined, `${held} publishers wait for a client that is away`);
  expect(session.waitingBytes <= limits.queueBytesMax, `${session.waitingBytes} bytes are queued`);
  expect(session.inflight >= 0, `${session.inflight} messages in flight`);
  if (connection !== undefined) {
    // What is released holds its place until PUBCOMP, also where a new connection has a smaller window.
    const sent = session.inflight - released.size;
    expect(sent <= connection.window, `${sent} messages sent, where ${connection.window} are allowed`);
    expect(connection.aliases.size <= limits.topicAliasMaximum, `${connection.aliases.size} Topic Aliases`);
    const { version } = connection;
    if (version === 5) expect(received.size <= limits.receiveMaximum, `${received.size} exchanges under way`);
  }
  let bytes = 0;
  let owed = 0;
  for (const { message, owed: isOwed } of queued) {
    if (isOwed) owed += 1;
    else bytes += message?.size ?? 0;
  }
  expect(owed === session.queuedOwed, `${session.queuedOwed} are counted as owed, where ${owed} are queued`);
  expect(bytes === session.queuedBytes, `${session.queuedBytes} bytes are counted, where ${bytes} are queued`);
  expect(queued.length + resending.length <= deliveries.size, "more waits than there is");
  const loaded = [...queued].reduce((sum, { size }) => sum + size, 0);
  expect(queued.length <= sizes.loadedMessages || !session.stored, `${queued.length} messages are queued in memory`);
  expect(loaded <= sizes.loadedBytes + limits.packetBytesMax || !session.stored, `${loaded} bytes are queued in memory`);
  if (connection === undefined)
    for (const { sequence } of deliveries.values()) expect(sequence === 0, "one that is away has messages in memory");
  const packetIds = [...deliveries.keys(), ...[...backlog].map(({ packetId }) => packetId)];
  expect(new Set(packetIds).size === packetIds.length, `Packet Identifiers that are given twice: ${packetIds}`);
  for (const packetId of packetIds) expect(!released.has(packetId), `${packetId} is both on its way and released`);
  expect(session.subscriptions.size <= limits.subscriptionsMax, `${session.subscriptions.size} subscriptions`);
  return problems;
}

/** Rows say what memory says; to be asked when nothing is under way. */
export function brokenRows(core: SessionCore, { sessions: store }: Rows): string[] {
  const problems: string[] = [];
  const numbers = new Map([...core.sessions.values()].filter(({ stored }) => stored).map((session) => [session.number, session]));
  const consumers = new Map((core.consumers?.all ?? []).map((consumer) => [consumer.number, consumer]));
  for (const row of store.sessions()) {
    const { number, clientId } = row;
    if (isConsumerRow(row)) {
      if (!consumers.has(number)) problems.push(`a row of the consumer ${number}, which is no more`);
      continue;
    }
    // Of what belongs to no client.
    if (isOwnRow(row)) continue;
    if (numbers.get(number)?.clientId !== clientId) problems.push(`a row of the session ${number} of ${clientId}, which is no more`);
  }
  for (const { sessionNumber, filter } of store.subscriptions()) {
    if (!numbers.get(sessionNumber)?.subscriptions.has(filter))
      problems.push(`a row of the subscription to ${filter} of ${sessionNumber}, which is no more`);
  }
  const rows = new Map([...numbers.keys()].map((number) => [number, new Set<string>()]));
  for (const { sessionNumber, filter } of store.subscriptions()) rows.get(sessionNumber)?.add(filter);
  const stored = new Set(store.sessions().map(({ number }) => number));
  const wills = new Set(store.wills().map(({ clientId }) => clientId));
  // One that could not be published stays for the next life of the object.
  const rests = new Set([...core.rests].map(({ will }) => will?.row));
  for (const name of wills) {
    const { clientId, row } = readWillName(name);
    const isThere = row === undefined ? core.sessions.get(clientId)?.will !== undefined : rests.has(row);
    if (!isThere && clientId !== UNLUCKY) problems.push(`a row of the will of ${clientId}, which is no more`);
  }
  for (const { clientId, will } of core.sessions.values())
    if (will !== undefined && !wills.has(clientId)) problems.push(`no row for the will of ${clientId}`);
  for (const [number, { clientId, subscriptions }] of numbers) {
    if (!stored.has(number)) problems.push(`no row for the session ${number} of ${clientId}`);
    for (const filter of subscriptions.keys()) if (!rows.get(number)!.has(filter)) problems.push(`no row for ${filter} of ${clientId}`);
  }
  return problems;
}
