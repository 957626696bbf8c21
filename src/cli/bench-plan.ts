/** What a scenario of `bench` is: who connects, who publishes to which topic, and who gets it. Its names are those of EMQ's benchmarks. */

import { UsageProblem } from "./problem.ts";

export const KINDS = ["conn", "pub", "sub", "p2p", "fanout", "sharedsub"] as const;

export type Kind = (typeof KINDS)[number];

/** In the names of EMQ, between its kind and its figures. */
const TRANSPORTS: Readonly<Record<string, readonly string[]>> = { tcp: ["mqtt:"], tls: ["mqtts:"], ws: ["ws:", "wss:"] };

export interface Plan {
  readonly kind: Kind;
  readonly publishers: number;
  readonly subscribers: number;
  readonly topics: number;
  /** Of the paced thing in a second: connections, SUBSCRIBE packets, or messages that are published. */
  readonly rate: number;
  /** How many subscribers get each message. */
  readonly copies: number;
}

export interface Asked {
  readonly scenario: string;
  readonly count?: number;
  readonly rate?: number;
}

const EXPECTED = `--scenario must be ${KINDS.join(", ")}, or one of EMQ's names such as p2p-1K-1K-1K-1K, fanout-1-1K-1-1K, sharedsub-1K-5-1K-1K, conn-tcp-10K-100`;

/** Members of a shared subscription where nobody says how many. */
const MEMBERS = 5;

/** @throws UsageProblem that says what was expected */
export function planOf({ scenario, count, rate }: Asked, protocol: string): Plan {
  const [kind, ...rest] = scenario.split("-");
  if (!KINDS.includes(kind as Kind)) throw new UsageProblem(`${EXPECTED}.`);
  if (rest.length > 0) {
    if (count !== undefined || rate !== undefined) throw new UsageProblem(`${scenario} says --count and --rate itself.`);
    return named(kind as Kind, scenario, rest, protocol);
  }
  if (rate === undefined)
    throw new UsageProblem(`--rate is needed: how many ${whatOf(kind as Kind)} in a second, of all clients together.`);
  if (count === undefined) throw new UsageProblem("--count is needed: how many clients.");
  return simple(kind as Kind, count, rate);
}

/** What is paced. */
export function whatOf(kind: Kind): string {
  if (kind === "conn") return "connections";
  if (kind === "sub") return "subscriptions";
  return kind === "fanout" ? "messages that are delivered" : "messages";
}

function simple(kind: Kind, count: number, rate: number): Plan {
  switch (kind) {
    case "conn":
      return { kind, publishers: 0, subscribers: count, topics: 0, rate, copies: 0 };
    case "sub":
      return { kind, publishers: 0, subscribers: count, topics: count, rate, copies: 0 };
    case "pub":
      return { kind, publishers: count, subscribers: 0, topics: count, rate, copies: 0 };
    case "p2p":
      return { kind, publishers: count, subscribers: count, topics: count, rate, copies: 1 };
    case "fanout":
      return { kind, publishers: 1, subscribers: count, topics: 1, rate: rate / count, copies: count };
    case "sharedsub":
      return { kind, publishers: count, subscribers: MEMBERS, topics: count, rate, copies: 1 };
  }
}

/** `p2p-1K-1K-1K-1K`: publishers, subscribers, topics, messages in a second; `conn-tcp-10K-100`: connections, and how many in a second. */
function named(kind: Kind, name: string, parts: readonly string[], protocol: string): Plan {
  if (kind === "conn") {
    const [transport = "", count = "", rate = "", ...more] = parts;
    const protocols = TRANSPORTS[transport];
    if (protocols === undefined || more.length > 0) throw new UsageProblem(`${EXPECTED}, not ${JSON.stringify(name)}.`);
    if (!protocols.includes(protocol))
      throw new UsageProblem(`${name} is for ${protocols.join("// and ")}//, and the URL begins with ${protocol}//.`);
    return simple(kind, figureOf(count, name), figureOf(rate, name));
  }
  if (parts.length !== 4 || kind === "pub" || kind === "sub") throw new UsageProblem(`${EXPECTED}, not ${JSON.stringify(name)}.`);
  const [publishers, subscribers, topics, rate] = parts.map((part) => figureOf(part, name)) as [number, number, number, number];
  if (topics > publishers) throw new UsageProblem(`${name} has topics that nobody publishes to: expected no more topics than publishers.`);
  if (kind === "p2p" && subscribers !== topics) throw new UsageProblem(`${name} must have as many subscribers as topics.`);
  if (kind === "fanout") return { kind, publishers, subscribers, topics, rate: rate / subscribers, copies: subscribers };
  return { kind, publishers, subscribers, topics, rate, copies: 1 };
}

/** @param text such as 5, 1K or 1.5k */
function figureOf(text: string, name: string): number {
  const [, number, thousands] = /^(\d{1,6}(?:\.\d{1,3})?)(k)?$/i.exec(text) ?? [];
  const figure = Number(number) * (thousands === undefined ? 1 : 1000);
  if (Number.isInteger(figure) && figure > 0) return figure;
  throw new UsageProblem(`${EXPECTED}, not ${JSON.stringify(name)}.`);
}
