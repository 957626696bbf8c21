/** What other Workers ask of one Session object, through the entrypoint of `src/service`, besides to publish: who its clients are, and to act on their behalf. */

import type { SubscriptionRequest } from "../mqtt/packet.ts";
import { ADMINISTRATIVE_ACTION } from "../mqtt/reason-code.ts";
import type { Runtime } from "../runtime.ts";
import type { SessionCore } from "../session/core.ts";
import type { SessionMachine } from "../session/machine.ts";
import { isHere } from "../session/moved-copy.ts";
import type { Session } from "../session/session.ts";
import type { ActOutcome, ClientPage, ClientView } from "./calls.ts";
import { FirstNames } from "./first-names.ts";

export interface ServiceCallsOptions {
  readonly core: SessionCore;
  readonly machine: SessionMachine;
  readonly runtime: Runtime;
  /** Called after anything that may have left something to flush. */
  readonly flushSoon: () => void;
  /** Resolves once everything so far is in rows, and sent. */
  readonly written: () => Promise<void>;
}

export class ServiceCalls {
  readonly #options: ServiceCallsOptions;

  constructor(options: ServiceCallsOptions) {
    this.#options = options;
  }

  /** Looks at every session once, and keeps no more than a page of them. */
  clientsAfter(after: string, most: number): ClientPage {
    const first = new FirstNames(most + 1);
    for (const session of this.#options.core.sessions.values())
      if (session.clientId > after && isHere(session)) first.add(session.clientId);
    const names = first.sorted();
    const clients = names.slice(0, most).map((clientId) => viewOf(this.#options.core.sessions.get(clientId)!));
    return { clients, more: names.length > most };
  }

  client(clientId: string): ClientView | undefined {
    const session = this.#options.core.sessions.get(clientId);
    return session !== undefined && isHere(session) ? viewOf(session) : undefined;
  }

  isConnected(clientId: string): boolean {
    return this.#options.core.sessions.get(clientId)?.connection?.open === true;
  }

  async subscribe(clientId: string, request: SubscriptionRequest): Promise<ActOutcome | undefined> {
    const { machine, runtime, flushSoon, written } = this.#options;
    const outcome = await new Promise<ActOutcome | undefined>((resolve) => {
      const answered = (reasonCode: number, reason: string): void => resolve({ reasonCode, reason });
      if (!machine.subscribe(clientId, request, runtime.now(), answered)) resolve(undefined);
      flushSoon();
    });
    await written();
    return outcome;
  }

  async unsubscribe(clientId: string, filter: string): Promise<boolean | undefined> {
    const { machine, runtime, flushSoon, written } = this.#options;
    let was: boolean | undefined;
    machine.unsubscribe(clientId, filter, runtime.now(), (wasThere) => {
      was = wasThere;
    });
    flushSoon();
    await written();
    return was;
  }

  async disconnect(clientId: string): Promise<boolean> {
    const { machine, runtime, flushSoon, written } = this.#options;
    const wasConnected = machine.disconnect(clientId, ADMINISTRATIVE_ACTION, "disconnected by the operator", runtime.now());
    flushSoon();
    await written();
    return wasConnected;
  }
}

function viewOf(session: Session): ClientView {
  const { clientId, identity, connection, parted, expiresAt, subscriptions, outstanding, unsent, received, expirySeconds } = session;
  const { userName, address } = identity;
  return {
    clientId,
    userName,
    address,
    connected: connection !== undefined,
    connectedAt: connection?.connectedAt || undefined,
    version: connection?.version,
    parted,
    expiresAt: connection === undefined ? expiresAt : undefined,
    subscriptions: subscriptions.size,
    waiting: outstanding,
    queued: unsent,
    received: received.size,
    keepAlive: connection?.facts.keepAliveSeconds,
    expirySeconds,
  };
}
