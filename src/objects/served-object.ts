/**
 * What a Session object is asked by code that is no client: other Workers, and the HTTP API. Every public method can be called from the Worker;
 * `calls.ts` says what each does.
 */

import { DurableObject } from "cloudflare:workers";
import type { MessageToPublish } from "../hooks/contract.ts";
import type { QoS, SubscriptionRequest } from "../mqtt/packet.ts";
import { PLATFORM } from "../runtime.ts";
import type { Billed, Sample } from "../storage/sqlite-sample-store.ts";
import type { Answers } from "./answers.ts";
import type {
  AcknowledgedWait,
  ActOutcome,
  ClientPage,
  ClientView,
  FilterPage,
  MemberPage,
  Once,
  PutOutcome,
  SendOutcome,
  SubscriptionPage,
  SubscriptionView,
  Unanswered,
  WaitingAsk,
  WaitingPage,
} from "./calls.ts";
import type { BrokerEnv } from "./env.ts";
import { filtersAfter, membersAfter, subscriptionsAfter, subscriptionsOf, waitingOf } from "./looking.ts";
import type { Meter } from "./meter.ts";
import type { SessionHost } from "./session-host.ts";

export abstract class ServedObject extends DurableObject<BrokerEnv> {
  protected abstract readonly host: SessionHost;
  protected abstract readonly meter: Meter;
  protected abstract readonly answers: Answers;

  /** A message of another Worker (`calls.ts`). @throws TypeError with a sentence for what is none */
  put(message: MessageToPublish, wait?: AcknowledgedWait, once?: Once): Promise<PutOutcome | Unanswered> {
    this.meter.calls += 1;
    return this.answers.once(once, message.qos ?? 0, () => this.host.publishing.put(message, wait), isTaken);
  }

  /** Messages of others than clients, in their order. @throws TypeError with a sentence for what is none */
  putAll(messages: readonly MessageToPublish[], once?: Once): Promise<{ readonly outcomes: readonly PutOutcome[] } | Unanswered> {
    this.meter.calls += 1;
    const qos = Math.max(0, ...messages.map((message) => message.qos ?? 0)) as QoS;
    const putAll = async () => ({ outcomes: await Promise.all(messages.map((message) => this.host.publishing.put(message, undefined))) });
    return this.answers.once(once, qos, putAll, ({ outcomes }) => outcomes.some(isTaken));
  }

  /** Its sessions in the order of their Client Identifiers, behind this one; at most so many. */
  clientsAfter(clientId: string, most: number): ClientPage {
    this.meter.calls += 1;
    return this.host.service.clientsAfter(clientId, most);
  }

  /** A client, connected or with a session that waits; undefined: it has none. */
  client(clientId: string): ClientView | undefined {
    this.meter.calls += 1;
    return this.host.service.client(clientId);
  }

  /** Ends the connection of a client (0x98). @returns whether it had one, once what follows is in rows, and sent */
  disconnect(clientId: string): Promise<boolean> {
    this.meter.calls += 1;
    return this.host.service.disconnect(clientId);
  }

  /** Subscriptions of all its sessions, behind this place; at most so many. */
  subscriptionsAfter(from: string, most: number): SubscriptionPage {
    this.meter.calls += 1;
    return subscriptionsAfter(this.host.core, from, most);
  }

  /** Those of one session; undefined: there is none. */
  subscriptionsOf(clientId: string): readonly SubscriptionView[] | undefined {
    this.meter.calls += 1;
    return subscriptionsOf(this.host.core, clientId);
  }

  /** Filters that anybody here is subscribed to, behind this one; at most so many. */
  filtersAfter(filter: string, most: number): FilterPage {
    this.meter.calls += 1;
    return filtersAfter(this.host.core, filter, most);
  }

  /** Who is connected and subscribed to this very filter, behind this Client Identifier; at most so many. */
  membersAfter(filter: string, clientId: string, most: number): MemberPage {
    this.meter.calls += 1;
    return membersAfter(this.host.core, filter, clientId, most);
  }

  /** Messages of a session that its client has not acknowledged; undefined: there is no session. */
  waitingOf(clientId: string, ask: WaitingAsk): WaitingPage | undefined {
    this.meter.calls += 1;
    return waitingOf(this.host.core, clientId, ask, PLATFORM.now());
  }

  /** Subscribes a connected client. @returns once that is in rows; undefined: it is not connected */
  subscribeClient(clientId: string, request: SubscriptionRequest): Promise<ActOutcome | undefined> {
    this.meter.calls += 1;
    return this.host.service.subscribe(clientId, request);
  }

  /** Ends a subscription of a connected client. @returns whether there was one; undefined: it is not connected */
  unsubscribeClient(clientId: string, filter: string): Promise<boolean | undefined> {
    this.meter.calls += 1;
    return this.host.service.unsubscribe(clientId, filter);
  }

  /** A message for one connected client, whatever it is subscribed to (`calls.ts`). @throws TypeError with a sentence for what is none */
  send(
    clientId: string,
    message: MessageToPublish,
    wait?: AcknowledgedWait,
    once?: Once,
  ): Promise<{ readonly outcome: SendOutcome } | Unanswered> {
    this.meter.calls += 1;
    const send = async () => ({ outcome: await this.host.publishing.send(clientId, message, wait) });
    const isDone = ({ outcome }: { readonly outcome: SendOutcome }): boolean => !["away", "not_authorized", "full"].includes(outcome);
    const inVain = () => (this.host.service.isConnected(clientId) ? undefined : ({ outcome: "away" } as const));
    return this.answers.once(once, message.qos ?? 0, send, isDone, inVain);
  }

  /** What it has counted in each minute since this one, and the last one before; nothing where that is not kept. */
  samplesSince(minute: number): readonly Sample[] {
    this.meter.calls += 1;
    return this.host.monitor?.samplesSince(minute) ?? [];
  }

  /** What is billed of it, in each of the last months; nothing where that is not kept. */
  billed(): readonly Billed[] {
    this.meter.calls += 1;
    return this.host.bill?.months() ?? [];
  }
}

/** Whether it went on, and everyone has it. */
function isTaken({ refusal, reasonCode }: PutOutcome): boolean {
  return refusal === undefined && reasonCode < 0x80;
}
