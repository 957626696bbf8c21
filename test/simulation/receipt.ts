/**
 * What must hold of every PUBLISH that a client gets, whatever happened on its way: it is the message that was published, whole, as this
 * client's subscriptions have it.
 */

import type { ProtocolVersion, Publish } from "../../src/mqtt/packet.ts";
import { matches } from "../../src/topic/filter.ts";
import { differencesOf } from "./content.ts";
import type { Held, Published } from "./records.ts";

/** What is on its way from a publisher to its object, or to a subscriber from its, may take so long. */
const WAY_MS = 6_000;

/** Who got it, and when. */
export interface Receiver {
  readonly id: string;
  readonly version: ProtocolVersion;
  readonly held: readonly Held[];
  readonly now: number;
  /** Clocks are what they should be. */
  readonly timely: boolean;
}

/** The filter of a subscription without what makes it shared. */
export function plainFilter(filter: string): string {
  return filter.startsWith("$share/") ? filter.split("/").slice(2).join("/") : filter;
}

/** Whether a subscription is for such messages. */
export function wants({ filter, noLocal }: Held, { topic, publisher }: Published, receiver: string): boolean {
  return matches(plainFilter(filter), topic) && !(noLocal && publisher === receiver);
}

/** @param topic its Topic Name, which an alias may have stood for */
export function wrongReceipt(published: Published, packet: Publish, topic: string | undefined, receiver: Receiver): string[] {
  const { number } = published;
  const { version } = receiver;
  const problems = differencesOf(published.content, packet, version);
  if (topic !== published.topic) problems.push(`on ${topic}, where it was published to ${published.topic}`);
  if (published.forbidden) problems.push("although its publisher may not publish it");
  problems.push(...wrongExpiry(published, packet, receiver));
  const matching = receiver.held.filter((each) => wants(each, published, receiver.id));
  problems.push(...wrongOptions(published, packet, matching));
  if (version === 5) problems.push(...wrongIdentifiers(published, packet, matching));
  return problems.map((problem) => `message ${number} came ${problem}`);
}

/** A 5.0 client is told how long a message has still to live. */
function wrongExpiry(published: Published, { properties }: Publish, { version, now, timely }: Receiver): string[] {
  const seconds = properties.messageExpiryInterval;
  const { expirySeconds, sentAt, repeated, kind } = published;
  if (version !== 5 || expirySeconds === 0) return seconds === undefined ? [] : [`with the expiry ${seconds}, where none was published`];
  if (seconds === undefined) return ["without its expiry"];
  if (!timely) return [];
  const most = kind === "will" || repeated ? expirySeconds : expirySeconds - Math.floor((now - sentAt - 2 * WAY_MS) / 1000);
  const least = kind === "will" ? 1 : Math.max(1, expirySeconds - Math.ceil((now - sentAt) / 1000));
  const isWrong = seconds > Math.min(expirySeconds, Math.max(1, most)) || seconds < least;
  return isWrong ? [`with ${seconds} s to live, where ${least} to ${most} were left`] : [];
}

/** Subscriptions that have stood since before it was published, and were not changed since. When a will was published nobody knows. */
function standing(matching: readonly Held[], { sentAt, kind }: Published): Held[] {
  if (kind === "will") return [];
  return matching.filter(({ since, until }) => since !== undefined && since < sentAt && until === undefined);
}

/** QoS and RETAIN are what subscriptions make of them. */
function wrongOptions(published: Published, { qos, retain }: Publish, matching: readonly Held[]): string[] {
  if (matching.length === 0) return [];
  const problems: string[] = [];
  const most = Math.min(published.qos, Math.max(...matching.map((each) => each.qos)));
  if (qos > most) problems.push(`at QoS ${qos}, where ${most} is granted`);
  const stands = standing(matching, published);
  if (retain) {
    // A live copy, or the retained message for a new subscription.
    if (!published.retain) problems.push("with RETAIN, which was not published");
    const may = matching.some(({ filter, retainAsPublished, retainHandling }) => {
      return retainAsPublished || (retainHandling < 2 && !filter.startsWith("$share/"));
    });
    if (!may) problems.push("with RETAIN, which no subscription of this client has");
    // It came by one of them, whichever.
    const granted = Math.min(published.qos, ...matching.map((each) => each.qos));
    if (qos < granted) problems.push(`with RETAIN at QoS ${qos}, where ${granted} is granted`);
    return problems;
  }
  const least = Math.min(published.qos, Math.max(0, ...stands.map((each) => each.qos)));
  if (qos < least) problems.push(`at QoS ${qos}, where ${least} is granted`);
  const asPublished = stands.some(({ retainAsPublished }) => retainAsPublished) || matching.every((each) => each.retainAsPublished);
  if (published.retain && asPublished) problems.push("without RETAIN, where it is wanted as published");
  return problems;
}

/** A copy has the identifiers of the subscriptions that it came by: a live one of all that match [MQTT5-3.3.4-4]. */
function wrongIdentifiers(published: Published, { retain, properties }: Publish, matching: readonly Held[]): string[] {
  const got = properties.subscriptionIdentifiers ?? [];
  const problems: string[] = [];
  const possible = matching.filter(
    ({ ended }) => ended === undefined || ended >= published.sentAt || published.retain || published.kind === "will",
  );
  for (const identifier of got) {
    if (!possible.some((each) => each.identifier === identifier))
      problems.push(`with the Subscription Identifier ${identifier}, which is none of its`);
  }
  if (retain) return problems;
  for (const { identifier, filter } of standing(matching, published)) {
    if (identifier !== 0 && !got.includes(identifier)) problems.push(`without the Subscription Identifier ${identifier} of ${filter}`);
  }
  return problems;
}
