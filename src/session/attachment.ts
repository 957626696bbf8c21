/**
 * What a connection is as bytes: in the attachment of its socket, which is all that stays of it while the object sleeps. It says as well
 * what of its session has no row, and what in the row may be older.
 */

import type { ProtocolVersion } from "../mqtt/packet.ts";
import { RecordError, RecordReader, RecordWriter } from "../mqtt/record.ts";
import { grantedOf } from "./asked.ts";
import type { ClientAliases } from "./client-aliases.ts";
import type { ConnectionFacts } from "./connection-facts.ts";
import { readGiven, type StoredGiven } from "./given.ts";
import type { Connection } from "./session.ts";
import {
  checkRange,
  readAliases,
  readHeader,
  readSession,
  type SessionState,
  STATE_VERSION,
  type StoredSubscription,
  storedRequest,
  subscriptionOptions,
  writeSession,
} from "./state.ts";

/** What a socket's attachment says about its connection and, unless the session has rows, about its subscriptions. */
export interface AttachedState {
  readonly clientId: string;
  readonly sessionNumber: number;
  readonly facts: ConnectionFacts;
  readonly lastSeenAt: number;
  /** 0 in what was attached before it was kept. */
  readonly connectedAt: number;
  /** Names the connection in the rows of its Topic Aliases; 0 when they are here. */
  readonly connectionNumber: number;
  readonly aliases: readonly (readonly [alias: number, topic: string])[];
  /** Undefined when the session was given nothing that no row says. */
  readonly given: StoredGiven | undefined;
  /** Undefined when the state was too large for an attachment: then it is in the session's row. */
  readonly session: SessionState | undefined;
  readonly subscriptions: readonly StoredSubscription[];
}

const FLAG_PROBLEM_INFORMATION = 1;
const FLAG_RELAYED = 2;
const FLAG_BRIEF = 4;
/** Older code does not look at it: to it a bridge is any client. */
const FLAG_BRIDGE = 8;
/** Something follows that older code does not read. */
const FLAG_GIVEN = 16;
const FLAG_CONNECTED_AT = 32;
/** Of a later build: an object that goes back to this one in its sleep finds what it can't read. */
const FLAGS_UNKNOWN = 0xff & ~63;

/** The number of the connection where they are in rows. */
function writeAliases(writer: RecordWriter, aliases: ClientAliases): void {
  writer.integer(aliases.number);
  writer.integer(aliases.number === 0 ? aliases.size : 0);
  if (aliases.number !== 0) return;
  for (const [alias, topic] of aliases) {
    writer.integer(alias);
    writer.string(topic);
  }
}

/** For one attachment after the other: most are larger than a new one would have room for. */
const writer = new RecordWriter(1024);

/**
 * @param brief leaves out what the session's row holds as well
 * @param now milliseconds since the epoch
 */
export function encodeAttachment(connection: Connection, brief: boolean, now: number): Uint8Array {
  const { session, facts } = connection;
  writer.clear();
  writer.byte(STATE_VERSION);
  writer.string(session.clientId);
  writer.integer(session.number);
  writer.byte(facts.version);
  writer.integer(facts.keepAliveSeconds);
  writer.integer(facts.receiveMaximum);
  writer.integer(facts.packetBytesMax === Number.POSITIVE_INFINITY ? 0 : facts.packetBytesMax);
  writer.integer(facts.topicAliasMaximum);
  const told = (facts.problemInformation ? FLAG_PROBLEM_INFORMATION : 0) | (facts.relayed ? FLAG_RELAYED : 0);
  const { given } = session;
  const facing = (brief ? FLAG_BRIEF : 0) | (facts.bridge ? FLAG_BRIDGE : 0);
  writer.byte(told | facing | (given === undefined ? 0 : FLAG_GIVEN) | FLAG_CONNECTED_AT);
  writer.optionalString(facts.authenticationMethod);
  writer.integer(connection.lastSeenAt);
  writer.integer(connection.connectedAt);
  writeAliases(writer, connection.aliases);
  given?.write(writer, now);
  if (brief) return writer.finish();
  writeSession(writer, session, false);
  const subscriptions = session.stored ? [] : grantedOf(session.subscriptions, session.asked);
  writer.integer(subscriptions.length);
  for (const { request, identifier } of subscriptions) {
    writer.string(request.filter);
    writer.byte(subscriptionOptions(request));
    writer.integer(identifier);
  }
  return writer.finish();
}

/** @throws RecordError when the bytes are of another version or end too early */
export function decodeAttachment(bytes: Uint8Array): AttachedState {
  const reader = new RecordReader(bytes);
  const stateVersion = readHeader(reader, "an attachment");
  const clientId = reader.string();
  const sessionNumber = reader.integer();
  const version = reader.byte() as ProtocolVersion;
  const keepAliveSeconds = reader.integer();
  const receiveMaximum = reader.integer();
  const packetBytesMax = reader.integer() || Number.POSITIVE_INFINITY;
  const topicAliasMaximum = reader.integer();
  const flags = reader.byte();
  if ((flags & FLAGS_UNKNOWN) !== 0) throw new RecordError(`the record has flags of a later build: ${flags}`);
  const facts: ConnectionFacts = {
    version,
    keepAliveSeconds,
    receiveMaximum,
    packetBytesMax,
    topicAliasMaximum,
    problemInformation: (flags & FLAG_PROBLEM_INFORMATION) !== 0,
    relayed: (flags & FLAG_RELAYED) !== 0,
    bridge: (flags & FLAG_BRIDGE) !== 0,
    authenticationMethod: reader.optionalString(),
  };
  checkRange(version, 3, 5, "a protocol version");
  checkRange(receiveMaximum, 1, 65_535, "a Receive Maximum");
  const lastSeenAt = reader.integer();
  const connectedAt = (flags & FLAG_CONNECTED_AT) === 0 ? 0 : reader.integer();
  const connectionNumber = stateVersion > 3 ? reader.integer() : 0;
  const attachedAliases = stateVersion > 3 ? readAliases(reader) : [];
  const given = (flags & FLAG_GIVEN) === 0 ? undefined : readGiven(reader);
  const connection = { clientId, sessionNumber, facts, lastSeenAt, connectedAt, connectionNumber, given };
  if ((flags & FLAG_BRIEF) !== 0) return { ...connection, aliases: attachedAliases, session: undefined, subscriptions: [] };
  const session = readSession(reader, stateVersion);
  const subscriptions = reader.list(() => {
    const filter = reader.string();
    return { request: storedRequest(filter, reader.byte()), identifier: reader.integer() };
  });
  reader.end();
  return { ...connection, aliases: stateVersion > 3 ? attachedAliases : session.aliases, session, subscriptions };
}

/** Whose attachment it is, for the log, as far as that can be read. */
export function attachedTo(bytes: Uint8Array): string {
  try {
    const reader = new RecordReader(bytes);
    readHeader(reader, "an attachment");
    return JSON.stringify(reader.string());
  } catch {
    return "a client whose name can't be read";
  }
}
