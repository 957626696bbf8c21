/** What an object holds in memory by a count of all its state, against which its ledger is held. */

import type { Ledger, MemoryKind } from "../../src/ledger.ts";
import { MEMORY } from "../../src/memory-limits.ts";
import type { Message } from "../../src/mqtt/message.ts";
import { bytesOfEnded, type SessionCore } from "../../src/session/core.ts";
import { messageBytes } from "../../src/session/deliveries.ts";
import { type Session, subscriptionBytes } from "../../src/session/session.ts";

export type Recount = Partial<Record<MemoryKind, number>>;

const { characterBytes } = MEMORY;

/** All kinds that a session core counts. */
export function recountSessions(core: SessionCore): Recount {
  const total = { connections: 0, sessions: 0, subscriptions: 0, messages: 0, aliases: 0, wills: 0, exchanges: 0, unsent: 0 };
  const messages = new Set<Message>();
  for (const { clientId, identity } of core.sessions.values()) {
    total.sessions += MEMORY.sessionBytes + characterBytes * clientId.length + identity.grants.length;
  }
  for (const ended of core.endedAsleep.values()) total.sessions += bytesOfEnded(ended);
  for (const session of new Set([...core.sessions.values(), ...core.aside, ...core.deaf, ...core.rests])) {
    for (const filter of session.subscriptions.keys()) total.subscriptions += subscriptionBytes(filter);
    for (const { filter, place, from } of session.owed)
      total.subscriptions += MEMORY.cursorBytes + characterBytes * (filter.length + place.length + from.length);
    for (const { message, identifiers } of session.deliveries.values()) {
      total.messages += MEMORY.deliveryBytes + MEMORY.numberBytes * (identifiers?.length ?? 0);
      if (message !== undefined) messages.add(message);
    }
    total.messages += session.backlog.memoryBytes;
    total.exchanges += MEMORY.numberBytes * (session.released.size + session.openExchanges.size);
    total.exchanges += MEMORY.incomingBytes * session.received.size;
    total.exchanges += MEMORY.sequenceBytes * (session.recentExchanges?.countFrom(0) ?? 0);
    total.wills += willBytes(session);
  }
  for (const { backlog, fleeting } of core.consumers?.all ?? []) {
    total.messages += backlog.memoryBytes;
    for (const { message } of fleeting) total.messages += MEMORY.deliveryBytes + messageBytes(message);
  }
  for (const message of messages) total.messages += messageBytes(message);
  total.exchanges += MEMORY.numberBytes * core.openExchanges.size + core.repeats.memoryBytes;
  for (const { aliases, ownAliases, incoming } of core.connections) {
    total.connections += MEMORY.connectionBytes;
    for (const topic of [...aliases.values(), ...ownAliases.topics()]) total.aliases += MEMORY.aliasBytes + characterBytes * topic.length;
    total.exchanges += MEMORY.incomingBytes * incoming.length;
  }
  total.connections += MEMORY.connectionBytes * core.closing.size + MEMORY.paceBytes * core.paces.size;
  for (const { reading } of [...core.connections, ...core.lingering]) total.unsent += reading.unreadBytes;
  return total;
}

function willBytes({ will }: Session): number {
  if (will === undefined) return 0;
  const { topic, payload, properties } = will.will;
  const { contentType, responseTopic, correlationData, userProperties } = properties;
  const texts = [topic, contentType ?? "", responseTopic ?? "", ...(userProperties ?? []).flat()];
  const characters = texts.reduce((sum, text) => sum + text.length, correlationData?.length ?? 0);
  return MEMORY.willBytes + payload.length + characterBytes * characters + MEMORY.userPropertyBytes * (userProperties?.length ?? 0);
}

/** A sentence for each kind of which the ledger says something else; kinds that were not counted must be empty. */
export function miscounted({ bytes, total }: Ledger, counted: Recount): string[] {
  const problems: string[] = [];
  for (const [kind, held] of Object.entries(bytes)) {
    const found = counted[kind as MemoryKind] ?? 0;
    if (held !== found) problems.push(`the ledger says ${held} bytes of ${kind}, where ${found} are held`);
  }
  const sum = Object.values(bytes).reduce((one, other) => one + other, 0);
  if (sum !== total) problems.push(`the ledger says ${total} bytes in all, where its kinds are ${sum}`);
  return problems;
}
