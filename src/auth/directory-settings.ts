/** How the directory is told to the broker: ADMIN_TOKEN, without which there is none, and FLAPPING. */

import { MS } from "../rate.ts";
import { type Setting, secret, setting } from "../setting.ts";

/** A client that connects too often is banned for some time. */
export interface Flapping {
  /** Connections of one Client Identifier within the window, beyond which it is banned; 0 = nobody is. */
  readonly count: number;
  readonly windowMs: number;
  readonly banMs: number;
}

/** Whoever shows it may change users and bans of this namespace. */
export interface NamespaceToken {
  readonly namespace: string;
  readonly token: string;
}

export interface DirectorySettings {
  /** Who shows it may change users and bans of every namespace; empty = there is no directory. */
  readonly adminToken: string;
  readonly namespaceTokens: readonly NamespaceToken[];
  readonly flapping: Flapping;
}

const NO_FLAPPING: Flapping = { count: 0, windowMs: 0, banMs: 0 };

export const NO_DIRECTORY: DirectorySettings = { adminToken: "", namespaceTokens: [], flapping: NO_FLAPPING };

const TOKEN = /^[A-Za-z0-9._~+/-]{16,}=*$/;

const BAN_DEFAULT = "5m";
/** What is counted is in memory alone. */
const WINDOW_MS_MAX = 3_600_000;

/** In the order of the documentation. */
export const DIRECTORY_SETTINGS = {
  adminToken: secret(
    "ADMIN_TOKEN",
    "16 or more letters, digits and - . _ ~ + /, or nothing",
    "the bearer token with which users and bans are changed while the broker runs (`npm run user`, `npm run ban`); without it there are none",
    (text) => (text === "" || TOKEN.test(text) ? text : undefined),
  ),
  namespaceTokens: secret(
    "NAMESPACE_ADMIN_TOKENS",
    "names of namespaces with a token as in ADMIN_TOKEN behind each, such as acme:0123456789abcdef, separated by commas, or nothing",
    "tokens that change users and bans of one namespace and no other; they need `ADMIN_TOKEN`, which opens all",
    parseNamespaceTokens,
  ),
  flapping: setting(
    "FLAPPING",
    "",
    "a number of connections, a time of at most 1h and the time of the ban, such as 15/1m or 15/1m/5m, or nothing",
    "a client ID that connects more often than this is banned, for five minutes if no time is given: `15/1m/5m` = after 15 times within a minute, for 5 minutes; needs `ADMIN_TOKEN`; empty = nobody is",
    parseFlapping,
  ),
} satisfies { readonly [Field in keyof DirectorySettings]: Setting<DirectorySettings[Field]> };

function parseNamespaceTokens(text: string): readonly NamespaceToken[] | undefined {
  if (text === "") return [];
  const tokens = text.split(",").map((each) => {
    const [, namespace = "", token = ""] = /^([A-Za-z0-9_-]{1,64}):(.*)$/.exec(each.trim()) ?? [];
    return { namespace, token };
  });
  return tokens.every(({ namespace, token }) => namespace !== "" && TOKEN.test(token)) ? tokens : undefined;
}

function parseFlapping(text: string): Flapping | undefined {
  if (text === "") return NO_FLAPPING;
  const [rate, window, ban = BAN_DEFAULT, ...rest] = text.split("/");
  const count = /^[1-9]\d{0,5}$/.test(rate ?? "") ? Number(rate) : Number.NaN;
  const [windowMs, banMs] = [durationMs(window ?? ""), durationMs(ban)];
  if (!(count > 0 && windowMs <= WINDOW_MS_MAX && banMs > 0) || rest.length > 0) return undefined;
  return { count, windowMs, banMs };
}

/** @returns milliseconds; NaN when it is no time such as 30s, 5m, 12h or 7d */
export function durationMs(text: string): number {
  const match = /^([1-9]\d{0,5})([smhd])$/.exec(text);
  return match === null ? Number.NaN : Number(match[1]) * MS[match[2]!]!;
}

/** @returns what is wrong with values that do not go together */
export function directoryProblems(settings: DirectorySettings): { readonly variable: string; readonly sentence: string }[] {
  const { adminToken, namespaceTokens, flapping } = settings;
  if (adminToken !== "") return [];
  const problems: { readonly variable: string; readonly sentence: string }[] = [];
  if (namespaceTokens.length > 0) {
    const variable = "NAMESPACE_ADMIN_TOKENS";
    problems.push({ variable, sentence: `${variable} needs ADMIN_TOKEN beside it: without that there is no directory.` });
  }
  if (flapping.count > 0) {
    problems.push({ variable: "FLAPPING", sentence: "FLAPPING needs ADMIN_TOKEN beside it: bans are kept in the directory." });
  }
  return problems;
}
