/** What other Workers are told of what the sessions of one Session object have: their subscriptions, and the messages that wait for them. */

import { WAITING_PAGE_BYTES } from "../code-limits.ts";
import { messageView } from "../hooks/message-view.ts";
import { PACKET_ID_MAX } from "../limits.ts";
import type { SessionCore } from "../session/core.ts";
import { isHere } from "../session/moved-copy.ts";
import { membersOf } from "../session/presence.ts";
import type { Session, Subscription } from "../session/session.ts";
import { allWaiting, peek } from "../session/waiting.ts";
import type { Member } from "../topic/presence.ts";
import type { FilterPage, MemberPage, SubscriptionPage, SubscriptionView, WaitingAsk, WaitingMessage, WaitingPage } from "./calls.ts";
import { FirstNames } from "./first-names.ts";

/** Between a Client Identifier and a filter: neither has it. */
const BEHIND = "\0";

function viewOf({ session, request }: Subscription): SubscriptionView {
  const { filter, qos, noLocal, retainAsPublished, retainHandling } = request;
  return { clientId: session.clientId, filter, qos, noLocal, retainAsPublished, retainHandling };
}

/** The first names behind one, of which no more are kept than are asked for. */
function namesBehind(names: Iterable<string>, after: string, most: number): readonly string[] {
  const first = new FirstNames(most);
  for (const name of names) if (name > after) first.add(name);
  return first.sorted();
}

/** Looks at every session once, and keeps no more than a page of their subscriptions. */
export function subscriptionsAfter({ sessions }: SessionCore, from: string, most: number): SubscriptionPage {
  const [clientId = "", filter = ""] = from.split(BEHIND);
  const found: SubscriptionView[] = [];
  const tell = ({ subscriptions }: Session, after: string): void => {
    for (const name of namesBehind(subscriptions.keys(), after, most + 1 - found.length)) found.push(viewOf(subscriptions.get(name)!));
  };
  const begun = sessions.get(clientId);
  if (begun !== undefined && filter !== "" && isHere(begun)) tell(begun, filter);
  const subscribed = function* (): Generator<string> {
    for (const session of sessions.values()) if (session.subscriptions.size > 0 && isHere(session)) yield session.clientId;
  };
  if (found.length <= most)
    for (const name of namesBehind(subscribed(), clientId, most + 1 - found.length)) {
      if (found.length > most) break;
      tell(sessions.get(name)!, "");
    }
  const subscriptions = found.slice(0, most);
  const last = subscriptions.at(-1);
  return { subscriptions, next: found.length > most && last !== undefined ? `${last.clientId}${BEHIND}${last.filter}` : undefined };
}

export function subscriptionsOf({ sessions }: SessionCore, clientId: string): readonly SubscriptionView[] | undefined {
  const session = sessions.get(clientId);
  return session !== undefined && isHere(session) ? [...session.subscriptions.values()].map(viewOf) : undefined;
}

export function filtersAfter({ interests, shares }: SessionCore, after: string, most: number): FilterPage {
  const all = function* (): Generator<string> {
    yield* interests.keys();
    yield* shares.keys();
  };
  const names = namesBehind(all(), after, most + 1);
  return { filters: names.slice(0, most), more: names.length > most };
}

/** Looks at every subscriber of the filter once, and keeps no more than a page of them. */
export function membersAfter(core: SessionCore, filter: string, after: string, most: number): MemberPage {
  const all = new Map<string, Member>();
  const first = new FirstNames(most + 1);
  for (const member of membersOf(core, filter)) {
    if (member.clientid <= after) continue;
    all.set(member.clientid, member);
    first.add(member.clientid);
  }
  const names = first.sorted();
  return { members: names.slice(0, most).map((name) => all.get(name)!), more: names.length > most };
}

/** As many messages as fit into one answer. */
export function waitingOf(core: SessionCore, clientId: string, { sent, behind, most }: WaitingAsk, now: number): WaitingPage | undefined {
  const session = core.sessions.get(clientId);
  if (session === undefined || !isHere(session)) return undefined;
  const messages: WaitingMessage[] = [];
  let bytes = 0;
  for (const waiting of allWaiting(session)) {
    if (waiting.sent !== sent || (behind !== 0 && age(session, waiting.packetId) >= age(session, behind))) continue;
    if (messages.length === most || (messages.length > 0 && bytes + waiting.size > WAITING_PAGE_BYTES))
      return { messages, next: messages.at(-1)!.packetId };
    const found = peek(core, session, waiting);
    if (found === undefined) continue;
    bytes += waiting.size;
    const { publisher } = found.message;
    messages.push({ packetId: waiting.packetId, publisher, message: { ...messageView(found.message, now), qos: found.qos } });
  }
  return { messages, next: undefined };
}

/** How many Packet Identifiers were allocated since this one: those of older messages are older. */
function age({ lastPacketId }: Session, packetId: number): number {
  return (lastPacketId - packetId + PACKET_ID_MAX) % PACKET_ID_MAX;
}
