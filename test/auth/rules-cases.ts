/** Holds the authorizer against the model, by seed: shared by `npm test`, which runs some cases, and `npm run rights`, which runs many. */

import type { Intent } from "../../src/auth/deciding-rule.ts";
import { claimNamesOf, makeGrants } from "../../src/auth/grants.ts";
import { parseAcl } from "../../src/auth/rules.ts";
import { RulesAuthorizer } from "../../src/auth/rules-authorizer.ts";
import type { QoS } from "../../src/mqtt/packet.ts";
import type { Identity } from "../../src/session/ports.ts";
import {
  Model,
  type ModelCase,
  type ModelRule,
  matchedBy,
  pick,
  type Random,
  randomCase,
  randomFilter,
  randomOf,
  TOPICS,
} from "./rules-model.ts";

/** In every so many cases it is asked which rule decides. */
const DECIDED_EVERY = 10;

export interface Tally {
  /** How often an answer was yes, of how many: a test of answers that are all the same says little. */
  readonly filters: { asked: number; allowed: number };
  readonly topics: { asked: number; allowed: number };
  readonly receives: { asked: number; allowed: number };
}

export function emptyTally(): Tally {
  return { filters: { asked: 0, allowed: 0 }, topics: { asked: 0, allowed: 0 }, receives: { asked: 0, allowed: 0 } };
}

/** @returns what the authorizer and the model disagree about, in words; undefined when they agree */
export function checkCase(seed: number, tally: Tally): string | undefined {
  const random = randomOf(seed);
  const given = randomCase(random);
  const { authorizer, identity } = authorizerOf(given);
  const model = new Model(given);
  const { clientId } = given.client;
  const differs = (question: string, ours: boolean, expected: boolean, count: { asked: number; allowed: number }): string | undefined => {
    count.asked += 1;
    count.allowed += expected ? 1 : 0;
    return ours === expected ? undefined : `seed ${seed}: ${question}: ${ours}, should be ${expected}, in ${JSON.stringify(given)}`;
  };
  for (let count = 0; count < 6; count++) {
    const filter = randomFilter(random, given);
    const qos = qosOf(random);
    const expected = model.maySubscribe(filter, qos);
    const ours = authorizer.maySubscribe(identity, clientId, filter, qos);
    const problem =
      differs(`subscribe to ${filter} at ${qos}`, ours, expected, tally.filters) ??
      unlimited(filter, expected) ??
      undecided({ action: "subscribe", topic: filter, qos, retain: false }, expected);
    if (problem !== undefined) return problem;
  }
  for (let count = 0; count < 12; count++) {
    const topic = pick(random, TOPICS.slice(0, 300));
    const qos = qosOf(random);
    const retain = random() < 0.5;
    const publishes = authorizer.mayPublish(identity, clientId, topic, qos, retain);
    const receives = authorizer.mayReceive(identity, clientId, topic);
    const problem =
      differs(`publish to ${topic} at ${qos}, RETAIN ${retain}`, publishes, model.mayPublish(topic, qos, retain), tally.topics) ??
      differs(`receive ${topic}`, receives, model.mayReceive(topic), tally.receives) ??
      undecided({ action: "publish", topic, qos, retain }, publishes);
    if (problem !== undefined) return problem;
  }
  return undefined;

  /** What is told of the rule that decides agrees with the decision, and with the model of the rules up to that one, whatever comes behind. */
  function undecided(intent: Intent, expected: boolean): string | undefined {
    // It asks the model four times more.
    if (seed % DECIDED_EVERY !== 0) return undefined;
    const { allows, rule } = authorizer.decide(identity, clientId, intent);
    const { own } = given.client;
    const isRight = rule === undefined ? true : own !== "superuser" && asksUpTo(rule.place, intent) === expected;
    if (allows === expected && isRight) return undefined;
    return `seed ${seed}: ${JSON.stringify(intent)} is decided by ${rule?.place}: ${allows}, should be ${expected}, in ${JSON.stringify(given)}`;
  }

  /** Undefined: without the rule at this place, or with others behind it, the answer may be another one. */
  function asksUpTo(place: string, { action, topic, qos, retain }: Intent): boolean | undefined {
    const [, list, index] = /^(acl|ACL)\[(\d+)\]$/.exec(place)!;
    const own = given.client.own as readonly ModelRule[];
    const all = list === "acl" ? own.slice(0, Number(index) + 1) : [...own, ...given.acl.slice(0, Number(index) + 1)];
    const ask = (rules: readonly ModelRule[]): boolean => {
      const model = new Model({ ...given, client: { ...given.client, own: rules }, acl: [] });
      return action === "publish" ? model.mayPublish(topic, qos, retain) : model.maySubscribe(topic, qos);
    };
    const everything = { permission: "allow", action: "all", topics: ["#", "$s/#"] } as const;
    const [allowed, denied] = [ask([...all, everything]), ask([...all, { ...everything, permission: "deny" }])];
    const before = [ask([...all.slice(0, -1), everything]), ask([...all.slice(0, -1), { ...everything, permission: "deny" }])];
    return allowed === denied && before[0] !== before[1] ? allowed : undefined;
  }

  /** Where deliveries are not looked at, all that a granted filter brings may come. */
  function unlimited(filter: string, isGranted: boolean): string | undefined {
    if (!isGranted || authorizer.limitsReceive(identity, clientId)) return undefined;
    const kept = matchedBy(filter).find((topic) => !model.mayReceive(topic));
    return kept && `seed ${seed}: ${filter} brings ${kept} unseen, which may not be received, in ${JSON.stringify(given)}`;
  }
}

function authorizerOf({ client, acl, noMatch }: ModelCase): { readonly authorizer: RulesAuthorizer; readonly identity: Identity } {
  const attributes = client.claims;
  const given = client.own === "superuser" ? { superuser: true } : { acl: client.own, attributes };
  const list = parseAcl(acl, "ACL");
  const { text, problems } = makeGrants({ ...given, claims: client.claims, claimNames: claimNamesOf(list.acl) });
  if (problems.length + list.problems.length > 0) throw new Error([...problems, ...list.problems].join("\n"));
  const authorizer = new RulesAuthorizer({ users: [], acl: list.acl, noMatch, allowsAnonymous: false });
  const { userName, address } = client;
  return { authorizer, identity: { userName, address, grants: text, expiresAt: Number.POSITIVE_INFINITY } };
}

function qosOf(random: Random): QoS {
  return pick(random, [0, 1, 2] as const);
}
