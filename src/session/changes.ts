/** What has changed and is not written yet: attachments of connections, rows of sessions. `rows.ts` writes it. */

import type { Connection, Session } from "./session.ts";

export class Changes {
  #connections: Connection[] = [];
  #sessions: Session[] = [];
  readonly #owed = new Set<Session>();

  /** Of how many sessions rows have to be written. */
  get rows(): number {
    return this.#sessions.length;
  }

  /** What its attachment says of a connection has changed. */
  mark(connection: Connection): void {
    if (connection.changed) return;
    connection.changed = true;
    this.#connections.push(connection);
  }

  /** The session's row, if it has one, must be written before anything leaves. */
  markRow(session: Session): void {
    if (session.connection !== undefined) this.mark(session.connection);
    if (session.rowChanged || !session.stored) return;
    session.rowChanged = true;
    this.#sessions.push(session);
  }

  /** What the session is owed has changed; what of it is to be written is seen then. */
  markOwed(session: Session): void {
    if (session.connection !== undefined) this.mark(session.connection);
    if (session.stored) this.#owed.add(session);
  }

  /** Takes out the sessions that are owed something else. */
  takeOwed(): readonly Session[] {
    if (this.#owed.size === 0) return NOBODY;
    const sessions = [...this.#owed];
    this.#owed.clear();
    return sessions;
  }

  /** Takes out the sessions whose rows are to be written. */
  takeSessions(): readonly Session[] {
    const sessions = this.#sessions;
    this.#sessions = [];
    for (const session of sessions) session.rowChanged = false;
    return sessions;
  }

  /** Of how many connections attachments have to be written. */
  get attachments(): number {
    return this.#connections.length;
  }

  /** Takes out connections whose attachments are to be written, the first ones, at most so many. */
  takeConnections(most: number): readonly Connection[] {
    if (most === 0) return [];
    const connections = this.#connections.length <= most ? this.#connections : this.#connections.slice(0, most);
    this.#connections = this.#connections.slice(connections.length);
    for (const connection of connections) connection.changed = false;
    return connections;
  }
}

const NOBODY: readonly Session[] = [];
