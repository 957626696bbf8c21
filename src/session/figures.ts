/** How much a Session object holds now, for who watches over it. */

import type { SessionCore } from "./core.ts";
import type { SessionCounters } from "./counters.ts";

export interface SessionFigures {
  readonly counters: SessionCounters;
  readonly connections: number;
  /** Sockets that were closed here and that their clients have not let go of. */
  readonly closingSockets: number;
  /** With and without connection. */
  readonly sessions: number;
  readonly subscriptions: number;
  readonly queuedMessages: number;
  readonly queuedBytes: number;
  /** Sent and not yet acknowledged by their clients. */
  readonly inflightMessages: number;
}

/** Looks at every session once, and at no row. */
export function sessionFigures(core: SessionCore): SessionFigures {
  let queuedMessages = 0;
  let queuedBytes = 0;
  let inflightMessages = 0;
  for (const session of core.sessions.values()) {
    queuedMessages += session.queued.length + session.backlog.unsent;
    queuedBytes += session.waitingBytes;
    inflightMessages += session.inflight;
  }
  const { counters, connections, sessions, subscriptions } = core;
  return {
    counters,
    connections: connections.size,
    closingSockets: core.closing.size,
    sessions: sessions.size,
    subscriptions: subscriptions.size,
    queuedMessages,
    queuedBytes,
    inflightMessages,
  };
}
