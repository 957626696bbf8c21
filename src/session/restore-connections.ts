/**
 * The connections whose sockets slept through a loss of memory: what is attached to a socket, the rows of its Topic Aliases, and the session
 * that it belongs to.
 */

import { intact } from "../mqtt/record.ts";
import { type AttachedState, attachedTo, decodeAttachment } from "./attachment.ts";
import { KEEP_ALIVE } from "./deadlines.ts";
import { givenBefore } from "./given.ts";
import { addSubscription } from "./interest.ts";
import { keepAliveSlackMs } from "./lifecycle.ts";
import { type AliasRow, NOBODY, type Wire } from "./ports.ts";
import type { Restoring } from "./restoring.ts";
import { Connection, Session } from "./session.ts";

/** A socket that is still open, with what was attached to it. */
export interface AttachedWire {
  readonly wire: Wire;
  readonly attachment: Uint8Array;
}

/** @returns the connection of each wire, in their order; undefined where the attachment could not be read */
export function restoreConnections(restoring: Restoring, wires: readonly AttachedWire[]): (Connection | undefined)[] {
  const aliases = aliasesByConnection(restoring);
  const connections = wires.map((wire) => restoring.attempt("a connection", () => restoreConnection(restoring, wire, aliases)));
  sweepAliases(restoring, aliases);
  return connections;
}

function aliasesByConnection(restoring: Restoring): Map<number, AliasRow[]> {
  const found = new Map<number, AliasRow[]>();
  for (const row of restoring.core.store.aliases()) {
    if (restoring.attempt(`Topic Alias of connection ${row.connectionNumber}`, () => intact(row)) === undefined) continue;
    const rows = found.get(row.connectionNumber);
    if (rows === undefined) found.set(row.connectionNumber, [row]);
    else rows.push(row);
  }
  return found;
}

/** Deletes the aliases of connections that are gone. */
function sweepAliases(restoring: Restoring, found: ReadonlyMap<number, readonly AliasRow[]>): void {
  const { core } = restoring;
  const live = new Set([...core.connections].map(({ aliases }) => aliases.number));
  for (const [connectionNumber, rows] of found) {
    core.raiseNumbers(connectionNumber);
    if (!live.has(connectionNumber)) restoring.sweep(rows.length, () => core.store.deleteAliases(connectionNumber));
  }
}

function restoreConnection(
  restoring: Restoring,
  { wire, attachment }: AttachedWire,
  aliases: ReadonlyMap<number, readonly AliasRow[]>,
): Connection | undefined {
  const { core, states, problems } = restoring;
  const attached = restoring.attempt(`attachment of ${attachedTo(attachment)}`, () => decodeAttachment(attachment));
  if (attached === undefined) return undefined;
  const session = sessionOf(restoring, attached);
  if (session === undefined) {
    problems.push(`attachment of ${JSON.stringify(attached.clientId)}: no row of its session ${attached.sessionNumber} can be read`);
    return undefined;
  }
  // Rows and attachments are written together, but what costs no promise is only in the attachment.
  if (attached.session !== undefined) states.set(session, attached.session);
  session.oversized = attached.session === undefined;
  if (attached.given !== undefined) session.given = givenBefore(core.repeats, attached.given, core.now);
  const connection = new Connection(wire, session, attached.facts, core.limits, core.ledger, attached.lastSeenAt);
  // The attachment may lag by so much (`SessionCore.handle`): a client that was heard since must not count as silent.
  connection.lastSeenAt = Math.min(core.now, attached.lastSeenAt + connection.keepAliveMs / 3);
  connection.attachedSeenAt = attached.lastSeenAt;
  connection.connectedAt = attached.connectedAt;
  connection.changed = false;
  restoreAliases(connection, attached, aliases.get(attached.connectionNumber) ?? [], states.get(session)?.aliases ?? []);
  session.connection = connection;
  core.connections.add(connection);
  if (connection.keepAliveMs > 0) {
    const at = connection.lastSeenAt + connection.keepAliveMs;
    core.deadlines.add({ at, kind: KEEP_ALIVE, subject: connection, slackMs: keepAliveSlackMs(connection) });
  }
  return connection;
}

/** @param before what the row of its session has of them, before version 4 */
function restoreAliases(
  { aliases }: Connection,
  attached: AttachedState,
  rows: readonly AliasRow[],
  before: readonly (readonly [alias: number, topic: string])[],
): void {
  for (const [alias, topic] of attached.aliases.length > 0 ? attached.aliases : before) aliases.set(alias, topic);
  aliases.number = attached.connectionNumber;
  for (const { alias, topic } of rows) aliases.set(alias, topic);
  if (aliases.number !== 0) aliases.takeChanged();
}

/** @returns undefined when its session should have a row and has none, or already has a connection */
function sessionOf({ core, byNumber }: Restoring, attached: AttachedState): Session | undefined {
  const { clientId, sessionNumber } = attached;
  const known = core.sessions.get(clientId);
  if (sessionNumber !== 0) {
    const stored = byNumber.get(sessionNumber);
    return stored !== undefined && stored === known && stored.connection === undefined ? stored : undefined;
  }
  if (known?.connection !== undefined) return undefined;
  const session = new Session(clientId, 0, attached.session?.identity ?? NOBODY, core.ledger);
  core.sessions.set(clientId, session);
  for (const { request, identifier } of attached.subscriptions) addSubscription(core, session, { session, request, identifier });
  return session;
}
