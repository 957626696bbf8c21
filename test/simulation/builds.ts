/**
 * Two builds of the broker side by side, as they are while a deploy spreads: objects of the build before write and say what that one
 * wrote and said, and find what the newer one says to be of a version that they do not know. The newer one is the source as it is; of the
 * older one there is no more than its forms, made here from those of today. Whoever raises a version writes the forms of the version
 * before it anew here; the runs fail until that is done.
 */

import { encodeProperties, WILL } from "../../src/mqtt/property.ts";
import { RecordWriter } from "../../src/mqtt/record.ts";
import { decodeAttachment } from "../../src/session/attachment.ts";
import type { StoredGiven } from "../../src/session/given.ts";
import type { MovingPart } from "../../src/session/move.ts";
import type { OpenExchanges } from "../../src/session/open-exchanges.ts";
import type { SessionStore } from "../../src/session/ports.ts";
import { writeReceived } from "../../src/session/received.ts";
import { decodeSessionState, decodeWill, type SessionState, STATE_VERSION, subscriptionOptions } from "../../src/session/state.ts";

/** A deploy has spread after so long at most: shorter, with any other fault, than callers give up, so that no promise ends. */
export const DEPLOY_MS_MAX = 10_000;

/** The version before `STATE_VERSION`, whose forms these are. */
const BEFORE = 4;

/** No build has such a version. */
const UNKNOWN = 100;

/** Bytes of a form as somebody finds them who does not know their version. */
export function ofUnknownVersion(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy[0] = UNKNOWN;
  return copy;
}

function writeTime(writer: RecordWriter, time: number): void {
  writer.integer(time === Number.POSITIVE_INFINITY ? 1 : time);
}

function writeExchanges(writer: RecordWriter, all: readonly OpenExchanges[]): void {
  writer.integer(all.length);
  for (const { object, sequences } of all) {
    writer.string(object);
    writer.integer(sequences.length);
    for (const sequence of sequences) writer.integer(sequence);
  }
}

function checkVersion(bytes: Uint8Array): void {
  if (bytes[0] !== STATE_VERSION || BEFORE !== STATE_VERSION - 1) throw new Error("these are not the forms of the version before");
}

/** The state of a session as the build before wrote it. */
export function stateOfBefore(bytes: Uint8Array): Uint8Array {
  checkVersion(bytes);
  const state = decodeSessionState(bytes);
  const writer = new RecordWriter(bytes.length);
  writer.byte(BEFORE);
  writer.integer(state.lastNumber);
  writeSession(writer, state);
  return writer.finish();
}

/** Of its identity there was the user name alone. */
function writeSession(writer: RecordWriter, state: SessionState): void {
  writer.integer(state.expirySeconds);
  writeTime(writer, state.expiresAt);
  writer.optionalString(state.identity.userName);
  writer.integer(state.nextPacketId);
  writer.integer(state.handledThrough);
  writer.integer(state.sent.length);
  for (const { packetId, qos, resending, recordSequence } of state.sent) {
    writer.integer(packetId);
    writer.byte(qos | (resending ? 4 : 0));
    writer.integer(recordSequence);
  }
  writer.integer(state.released.length);
  for (const packetId of state.released) writer.integer(packetId);
  writer.byte(state.paged ? 1 : 0);
  writeReceived(
    writer,
    state.received.map(({ settled, ...each }) => {
      return { ...each, qos: 2, handedOn: true, reasonCode: settled ? 0 : undefined, settled: () => {} };
    }),
  );
  writeExchanges(writer, state.had);
  writeExchanges(writer, state.lacks);
  writer.integer(state.cameFrom.length);
  for (const { object, through } of state.cameFrom) {
    writer.string(object);
    writer.integer(through);
  }
  writer.byte((state.offered ? 1 : 0) | (state.retired ? 2 : 0));
  writer.integer(state.owed.length);
  for (const { filter, id, place, from } of state.owed) {
    writer.string(filter);
    writer.integer(id);
    writer.string(place);
    writer.string(from);
  }
}

function writeGiven(writer: RecordWriter, { seen, shared }: StoredGiven): void {
  writer.integer(seen.length);
  for (const { key, through, at } of seen) {
    writer.string(key);
    writer.integer(through);
    writer.integer(at);
  }
  writer.integer(shared.length);
  for (const name of shared) writer.string(name);
}

/** The same of what is attached to a socket, which did not say since when its client is connected. */
export function attachmentOfBefore(bytes: Uint8Array): Uint8Array {
  checkVersion(bytes);
  const { clientId, sessionNumber, facts, lastSeenAt, connectionNumber, aliases, given, session, subscriptions } = decodeAttachment(bytes);
  const writer = new RecordWriter(bytes.length);
  writer.byte(BEFORE);
  writer.string(clientId);
  writer.integer(sessionNumber);
  writer.byte(facts.version);
  writer.integer(facts.keepAliveSeconds);
  writer.integer(facts.receiveMaximum);
  writer.integer(facts.packetBytesMax === Number.POSITIVE_INFINITY ? 0 : facts.packetBytesMax);
  writer.integer(facts.topicAliasMaximum);
  const { problemInformation, relayed, bridge } = facts;
  const flags = [problemInformation, relayed, session === undefined, bridge, given !== undefined];
  writer.byte(flags.reduce((sum, isSet, bit) => sum | (isSet ? 1 << bit : 0), 0));
  writer.optionalString(facts.authenticationMethod);
  writer.integer(lastSeenAt);
  writer.integer(connectionNumber);
  writer.integer(aliases.length);
  for (const [alias, topic] of aliases) {
    writer.integer(alias);
    writer.string(topic);
  }
  if (given !== undefined) writeGiven(writer, given);
  if (session === undefined) return writer.finish();
  writeSession(writer, session);
  writer.integer(subscriptions.length);
  for (const { request, identifier } of subscriptions) {
    writer.string(request.filter);
    writer.byte(subscriptionOptions(request));
    writer.integer(identifier);
  }
  return writer.finish();
}

/** The same of a will, which did not say whose it is. */
export function willOfBefore(bytes: Uint8Array): Uint8Array {
  const { will, dueAt, inGrace } = decodeWill(bytes);
  const writer = new RecordWriter(bytes.length);
  // Wills were the same in the versions before.
  writer.byte(3);
  writeTime(writer, dueAt);
  writer.byte(will.qos | (will.retain ? 4 : 0) | (inGrace ? 8 : 0));
  writer.string(will.topic);
  writer.bytes(will.payload);
  writer.bytes(encodeProperties(will.properties, WILL));
  return writer.finish();
}

/** @param isOlder whether the object that writes runs the build before now */
export function storeOfBuild(store: SessionStore, isOlder: () => boolean): SessionStore {
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== "function") return value;
      if (name === "putSession" && isOlder()) {
        // What is no session's has no form that the build before would have other than this.
        return (row: Parameters<SessionStore["putSession"]>[0]) =>
          target.putSession(row.clientId.startsWith("\0") ? row : { ...row, state: stateOfBefore(row.state) });
      }
      if (name === "putWill" && isOlder()) {
        return (row: Parameters<SessionStore["putWill"]>[0]) => target.putWill({ ...row, will: willOfBefore(row.will) });
      }
      return value.bind(target) as unknown;
    },
  });
}

/** What an object tells of a session that moves, as the build before told it. */
export function partOfBefore(part: MovingPart): MovingPart {
  return { ...part, state: stateOfBefore(part.state), will: part.will && willOfBefore(part.will) };
}

/** The same of the newer build, as an object of the build before finds it. */
export function partOfUnknown(part: MovingPart): MovingPart {
  return { ...part, state: ofUnknownVersion(part.state) };
}
