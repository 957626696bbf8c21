/** What a question about rights costs, in nanoseconds. */

import { makeGrants } from "../../src/auth/grants.ts";
import { NO_RULES } from "../../src/auth/rules.ts";
import { RulesAuthorizer } from "../../src/auth/rules-authorizer.ts";
import type { Identity } from "../../src/session/ports.ts";
import { matches } from "../../src/topic/filter.ts";

const TEN = Array.from({ length: 10 }, (_, index) => ({
  permission: index % 3 === 0 ? "deny" : "allow",
  action: index % 2 === 0 ? "publish" : "all",
  topics: index === 9 ? ["plant/+/machine/+/state"] : [`site-${index}/+/machine/#`],
}));
/** The same with the client's own name in each. */
const FILLED = TEN.map((rule) => ({
  ...rule,
  permission: "allow",
  topics: rule.topics.map((topic) => topic.replace("machine", "${clientid}")),
}));

const ROUNDS = 50_000;

/** @returns a line for each measurement */
export function measureRights(): readonly string[] {
  const plain = nanosecondsOf(TEN, "plant/7/machine/12/state");
  const none = nanosecondsOf(TEN, "other/7/machine/12/state");
  const filled = nanosecondsOf(FILLED, "plant/7/dev-12/12/state");
  const filters = nanosecondsOf(TEN, "plant/+/machine/+/state", "filter");
  return [
    `mayPublish, ten rules, the last allows: ${plain.toFixed(0)} ns`,
    `mayPublish, ten rules, none speaks of it: ${none.toFixed(0)} ns`,
    `mayPublish, ten rules with placeholders, the last allows: ${filled.toFixed(0)} ns`,
    `maySubscribe, ten rules, the last allows: ${filters.toFixed(0)} ns`,
  ];
}

/** One of a hundred clients after the other asks; the best of five rounds. */
export function nanosecondsOf(rules: readonly object[], topic: string, kind: "topic" | "filter" = "topic"): number {
  const authorizer = new RulesAuthorizer({ users: [], acl: NO_RULES, noMatch: "deny", allowsAnonymous: false });
  const { text } = makeGrants({ acl: rules });
  const identities = Array.from(
    { length: 100 },
    (): Identity => ({ userName: "ada", address: "", grants: text, expiresAt: Number.POSITIVE_INFINITY }),
  );
  let yes = 0;
  const ask = (identity: Identity): boolean =>
    kind === "topic" ? authorizer.mayPublish(identity, "dev-12", topic, 1, false) : authorizer.maySubscribe(identity, "dev-12", topic, 1);
  const best = bestOf(() => {
    for (let count = 0; count < ROUNDS; count++) if (ask(identities[count % 100]!)) yes += 1;
  });
  if (yes % ROUNDS !== 0) throw new Error("not always the same answer");
  return best;
}

/** The plain rule of matching, filter by filter: something to compare with. */
export function nanosecondsOfMatching(filters: readonly string[], topic: string): number {
  let yes = 0;
  const best = bestOf(() => {
    for (let count = 0; count < ROUNDS; count++) if (filters.some((filter) => matches(filter, topic))) yes += 1;
  });
  if (yes % ROUNDS !== 0) throw new Error("not always the same answer");
  return best;
}

function bestOf(round: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let count = 0; count < 8; count++) {
    const begun = performance.now();
    round();
    best = Math.min(best, performance.now() - begun);
  }
  return (best * 1e6) / ROUNDS;
}
