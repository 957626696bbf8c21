/** What has changed and is not written yet: attachments of connections, rows of sessions. `rows.ts` writes it. */

import type { Connection, Session } from "./session.ts";

export class Changes {
  /** Connections of sessions with rows: what is attached is read beside the row, and must not be older. */
  #withRows: Connection[] = [];
  /** Those of sessions that end with them. */
  #withoutRows: Connection[] = [];
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
    (connection.session.stored ? this.#withRows : this.#withoutRows).push(connection);
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

  /** Of how many connections attachments have to be written with rows. */
  get attachments(): number {
    return this.#withRows.length;
  }

  /** Of how many they have to be written before the object sleeps. */
  get lateAttachments(): number {
    return this.#withoutRows.length;
  }

  /** Takes out connections whose attachments are to be written, the first ones, of each kind at most so many. */
  takeConnections(most: number, late: number): readonly Connection[] {
    if (this.#withRows.length + Math.min(this.#withoutRows.length, late) === 0) return NONE;
    const connections = [...this.#withRows.splice(0, most), ...this.#withoutRows.splice(0, late)];
    for (const connection of connections) connection.changed = false;
    return connections;
  }
}

const NONE: readonly Connection[] = [];
const NOBODY: readonly Session[] = [];
