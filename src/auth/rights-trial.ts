/**
 * Rights tried out: whether somebody could do something, for operators who ask that instead of connecting. It goes the way of a login, and then of
 * its rights, as far as that can be gone without a password or a token, and says in words who was not asked and could say something else.
 */

import { Bans } from "../directory/bans.ts";
import type { Looked } from "../directory/news.ts";
import { type Identity, NOBODY } from "../session/ports.ts";
import type { ChainLink } from "./chain-settings.ts";
import type { Decision, Intent } from "./deciding-rule.ts";
import { makeGrants } from "./grants.ts";
import type { Otherwise } from "./rights.ts";
import type { RulesAuthorizer } from "./rules-authorizer.ts";
import { isBrokersOwn } from "./service-rights.ts";

/** Who it is about. */
export interface Somebody {
  /** Undefined: a client without one. */
  readonly userName: string | undefined;
  /** May be empty. */
  readonly clientId: string;
  /** Where the client is; empty when that is not said. */
  readonly address: string;
}

/** Sentences that stand for themselves. */
export interface Judgement {
  readonly allows: boolean;
  readonly reason: string;
  /** Where the rule stands that decides it, such as `ACL[2]`; undefined: none does. */
  readonly rule: string | undefined;
  /** Who was not asked, and could say something else. */
  readonly notAsked: readonly string[];
}

/** @param looked what the directory says of the user; undefined where there is none */
export type Judge = (somebody: Somebody, looked: Omit<Looked, "version" | "like"> | undefined, intent: Intent, now: number) => Judgement;

export interface RightsTrialOptions {
  /** Names of the users of USERS. */
  readonly users: readonly string[];
  readonly rules: RulesAuthorizer;
  /** Who is asked about subscriptions of which no rule speaks; undefined: nobody. */
  readonly asked: { readonly rules: RulesAuthorizer; readonly names: readonly string[] } | undefined;
  /** Who is asked whether a client may connect, in order, by names for people. */
  readonly chain: readonly { readonly link: ChainLink; readonly name: string }[];
  /** Certificates of clients may name them. */
  readonly believesGateways: boolean;
  readonly allowsAnonymous: boolean;
  /** There may be somebody to be besides users of the directory; else a user name says nothing while that is empty. */
  readonly isAnybodyKnown: boolean;
}

/** The login that somebody would have, or why there would be none. */
type Login = ({ readonly identity: Identity } | { readonly reason: string }) & { readonly notAsked: readonly string[] };

/** Of a login that brings no rights of its own. */
const NO_GRANTS = makeGrants({}).text;

export function judgeOf(options: RightsTrialOptions): Judge {
  const { rules, asked } = options;
  return (somebody, looked, intent, now) => {
    const { userName, clientId, address } = somebody;
    const deny = (reason: string, notAsked: readonly string[] = []): Judgement => ({ allows: false, reason, rule: undefined, notAsked });
    const userNames = userName === undefined ? [] : [userName];
    const ban = looked?.bans && new Bans(looked.bans).find({ clientId, userNames, address }, now);
    if (ban !== undefined) return deny(`A ban shuts it out, by ${ban.kind} ${ban.who}.`);
    if (intent.action === "publish" && isBrokersOwn(intent.topic)) return deny("Nobody but the broker publishes there.");
    const login = loginOf(options, somebody, looked);
    if ("reason" in login) return deny(login.reason, login.notAsked);
    const isAsked = intent.action === "subscribe" && asked !== undefined;
    const decision = (isAsked ? asked.rules : rules).decide(login.identity, clientId, intent);
    const { allows, rule, otherwise } = decision;
    const isOpen = isAsked && rule === undefined && otherwise !== "everything";
    const ofHooks = isOpen ? asked.names.map((name) => `${name} is asked about subscriptions of which no rule speaks.`) : [];
    return { allows, rule: rule?.place, reason: reasonOf(decision, login.identity, intent), notAsked: [...login.notAsked, ...ofHooks] };
  };
}

function loginOf(options: RightsTrialOptions, { userName, address }: Somebody, looked: Parameters<Judge>[1]): Login {
  const { users, chain, believesGateways, allowsAnonymous, isAnybodyKnown } = options;
  const others = chain.filter(({ link }) => link !== "users").map(({ name }) => name);
  const identity = { ...NOBODY, userName, address };
  if (userName === undefined) {
    const notAsked = [...others.map(ownRights), ...(believesGateways ? [ownRights("A client certificate")] : [])];
    return allowsAnonymous ? { identity, notAsked } : { reason: "Clients without a user name are not let in.", notAsked };
  }
  const before = chain
    .slice(
      0,
      Math.max(
        0,
        chain.findIndex(({ link }) => link === "users"),
      ),
    )
    .map(({ name }) => ownRights(name));
  const isAsked = chain.some(({ link }) => link === "users");
  if (isAsked && users.includes(userName)) return { identity, notAsked: before };
  if (isAsked && looked?.user !== undefined) return { identity: { ...identity, grants: looked.user.grants }, notAsked: before };
  if (others.length > 0 || believesGateways) {
    const letIn = [...others, ...(believesGateways ? ["A client certificate"] : [])];
    const notAsked = letIn.map(
      (name) => `${name} may know ${userName}, whom this broker does not keep, and may give it rights that come first.`,
    );
    return { identity: { ...identity, grants: NO_GRANTS }, notAsked };
  }
  if (allowsAnonymous && !isAnybodyKnown && looked?.isEmpty !== false) return { identity: { ...NOBODY, address }, notAsked: [] };
  return { reason: `There is no user ${userName}.`, notAsked: [] };
}

function ownRights(name: string): string {
  return `${name} may let it in with rights of its own, in the place of these.`;
}

type Decided = Decision & { readonly otherwise: Otherwise };

function reasonOf({ allows, rule, otherwise }: Decided, { userName, grants }: Identity, { action, topic }: Intent): string {
  const verb = allows ? "allows" : "denies";
  if (rule !== undefined) {
    const isOfDirectory = grants !== "" && !rule.place.startsWith("ACL");
    return isOfDirectory ? `The rule ${rule.place} of the user ${userName} ${verb} it.` : `${rule.place} ${verb} it.`;
  }
  if (otherwise === "everything") return `${userName} is a superuser, who may do everything.`;
  if (allows) {
    const isAnonymous = userName === undefined && grants === "";
    return isAnonymous
      ? "No rule speaks of it: anonymous clients may do that, as long as ACL does not say otherwise."
      : "No rule speaks of it, and ACL_NO_MATCH is allow.";
  }
  if (otherwise === "ordinary") return "No rule allows it, and topics that begin with $ need one.";
  return action === "subscribe" && /[+#]/.test(topic) ? "No rule allows all that the filter matches." : "No rule allows it.";
}
