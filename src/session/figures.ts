/** How much a Session object holds now, for who watches over it. */

import type { ConsumerCounters } from "./consumer.ts";
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
  /** Code of the Worker that is given messages; counted apart from clients. */
  readonly consumers: readonly ConsumerFigures[];
}

export interface ConsumerFigures {
  readonly name: string;
  readonly counters: ConsumerCounters;
  /** What it has not handled. */
  readonly messages: number;
  readonly bytes: number;
}

function consumerFigures({ consumers }: SessionCore): ConsumerFigures[] {
  return (consumers?.all ?? []).map(({ plan, counters, backlog, fleeting, fleetingBytes }) => ({
    name: plan.name,
    counters,
    messages: backlog.count + fleeting.length,
    bytes: backlog.bytes + fleetingBytes,
  }));
}

/** Looks at every session once, and at no row. */
export function sessionFigures(core: SessionCore): SessionFigures {
  let queuedMessages = 0;
  let queuedBytes = 0;
  let inflightMessages = 0;
  for (const session of core.sessions.values()) {
    queuedMessages += session.unsent;
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
    consumers: consumerFigures(core),
  };
}
