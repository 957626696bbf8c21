/**
 * Bans: who is shut out, by whom, why and until when. A namespace has one small list of them with a version, which is passed on as a whole;
 * here it is matched. Knows neither how it is kept nor whom it is told.
 */

import {
  BAN_PATTERNS_MAX,
  BAN_REASON_CHARACTERS_MAX,
  BAN_WHO_CHARACTERS_MAX,
  BANS_MAX,
  PATTERN_TEXT_CHARACTERS_MAX,
} from "../login-limits.ts";
import { type Pattern, parsePattern } from "../pattern.ts";
import { contains, type Network, parseAddress, parseNetwork } from "./network.ts";

/** By what somebody is banned; the names are EMQX's. */
export const BAN_KINDS = ["clientid", "username", "peerhost", "peerhost_net", "clientid_re", "username_re"] as const;

export type BanKind = (typeof BAN_KINDS)[number];

export interface Ban {
  readonly kind: BanKind;
  readonly who: string;
  /** Who said so. */
  readonly by: string;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Milliseconds since the epoch, from which on it is over; Infinity = never. */
  readonly until: number;
}

/** All bans of a namespace. */
export interface BanList {
  /** Grows with each change. */
  readonly version: number;
  readonly bans: readonly Ban[];
}

/** What is known of a client. */
export interface Suspect {
  readonly clientId: string;
  /** The user names that stand for it: that of CONNECT and that of its login. */
  readonly userNames: readonly string[];
  /** Empty when that is not known. */
  readonly address: string;
}

/** @returns what is wrong with a ban, in a sentence; undefined when nothing is */
export function banProblem({ kind, who, by, reason }: Ban): string | undefined {
  if (who === "" || who.length > BAN_WHO_CHARACTERS_MAX) return `who must have 1 to ${BAN_WHO_CHARACTERS_MAX} characters`;
  if (by.length > BAN_REASON_CHARACTERS_MAX || reason.length > BAN_REASON_CHARACTERS_MAX) {
    return `by and reason must have at most ${BAN_REASON_CHARACTERS_MAX} characters`;
  }
  if (kind === "peerhost" && parseAddress(who) === undefined) return "who must be an IPv4 or IPv6 address";
  if (kind === "peerhost_net" && parseNetwork(who) === undefined) return "who must be a network such as 203.0.113.0/24 or 2001:db8::/32";
  if (isPattern(kind) && parsePattern(who) === undefined) {
    return "who must be a regular expression of at most 256 characters, without back-references and looking around";
  }
  return undefined;
}

/** @returns why one more has no room; undefined when it has */
export function roomProblem(bans: readonly Ban[], added: BanKind): string | undefined {
  if (bans.length >= BANS_MAX) return `there are ${BANS_MAX} bans already`;
  if (isPattern(added) && bans.filter(({ kind }) => isPattern(kind)).length >= BAN_PATTERNS_MAX) {
    return `there are ${BAN_PATTERNS_MAX} bans by regular expressions already: each is tried with every client`;
  }
  return undefined;
}

function isPattern(kind: BanKind): boolean {
  return kind === "clientid_re" || kind === "username_re";
}

/** A list of bans, made ready to be asked for each client. */
export class Bans {
  readonly version: number;
  readonly #exact = new Map<string, Ban>();
  readonly #networks: { readonly ban: Ban; readonly network: Network }[] = [];
  readonly #patterns: { readonly ban: Ban; readonly pattern: Pattern }[] = [];

  constructor({ version, bans }: BanList) {
    this.version = version;
    for (const ban of bans) this.#enter(ban);
  }

  #enter(ban: Ban): void {
    const { kind, who } = ban;
    if (kind === "clientid" || kind === "username") this.#exact.set(`${kind} ${who}`, ban);
    else if (isPattern(kind)) {
      const pattern = parsePattern(who);
      if (pattern !== undefined) this.#patterns.push({ ban, pattern });
    } else {
      const network = parseNetwork(who);
      if (network !== undefined) this.#networks.push({ ban, network });
    }
  }

  get isEmpty(): boolean {
    return this.#exact.size + this.#networks.length + this.#patterns.length === 0;
  }

  /** @returns a ban that shuts this client out now */
  find(suspect: Suspect, now: number): Ban | undefined {
    if (this.isEmpty) return undefined;
    return this.#all(suspect).find(({ until }) => until > now);
  }

  #all({ clientId, userNames, address }: Suspect): Ban[] {
    const exact = [this.#exact.get(`clientid ${clientId}`), ...userNames.map((name) => this.#exact.get(`username ${name}`))];
    const found = exact.filter((ban) => ban !== undefined);
    const bits = this.#networks.length === 0 ? undefined : parseAddress(address);
    if (bits !== undefined) found.push(...this.#networks.filter(({ network }) => contains(network, bits)).map(({ ban }) => ban));
    // A name without a login may be long, such as a token in its place: what stands behind takes no part.
    const names = this.#patterns.length === 0 ? [] : userNames.map((name) => name.slice(0, PATTERN_TEXT_CHARACTERS_MAX));
    const named = ({ ban, pattern }: { readonly ban: Ban; readonly pattern: Pattern }): boolean =>
      ban.kind === "clientid_re" ? pattern(clientId) : names.some(pattern);
    found.push(...this.#patterns.filter(named).map(({ ban }) => ban));
    return found;
  }
}

export const NO_BANS = new Bans({ version: 0, bans: [] });
