/**
 * Who may do what, by rules. In this order, and the first rule that speaks of what is asked decides: the rules that came with the login, or
 * else those of the user of USERS by that name, or of anonymous clients; then those of ACL; then ACL_NO_MATCH. A superuser may do everything.
 *
 * Users are looked up by name each time: so it holds for sessions restored after hibernation, and a user who was removed may do nothing at
 * once. Matching is exact [MQTT5-4.7.3-4] [MQTT311-4.7.3-4]. Clients choose their Client Identifiers: a rule with `%c` keeps honest clients
 * apart, not hostile ones that share a user.
 */

import { BoundedMap } from "../bounded-map.ts";
import { FILLED_BYTES_OF_CLIENT, FILLED_BYTES_OF_FILTER, FILLED_RULES_BYTES_MAX, GRANTS_PARSED_CHARACTERS_MAX } from "../login-limits.ts";
import type { QoS } from "../mqtt/packet.ts";
import type { Authorizer, Identity } from "../session/ports.ts";
import { BRIDGE_STATE, BRIDGE_STATES } from "./bridge-state.ts";
import { type Decision, decide, type Intent } from "./deciding-rule.ts";
import { parseGrants } from "./grants.ts";
import { type Otherwise, Rights } from "./rights.ts";
import type { ClientFacts } from "./rule-topics.ts";
import { type Acl, allowPublish, allowSubscribe, isForAll, type Rule } from "./rules.ts";
import type { User } from "./users.ts";

export interface RuleSources {
  readonly users: readonly User[];
  /** The setting ACL. */
  readonly acl: Acl;
  /** What no rule speaks of. */
  readonly noMatch: "allow" | "deny";
  /** Whether clients without a login are let in. */
  readonly allowsAnonymous: boolean;
  /** Whether they may listen to the figures of the broker where there is no ACL. */
  readonly showsSystem?: boolean;
  /** Whether they have what rules give them without ACL too, and no more. */
  readonly bindsAnonymous?: boolean;
}

/** The rules of some clients, and their rights where these are the same for all of them. */
interface Rulebook {
  readonly rules: readonly Rule[];
  readonly otherwise: Otherwise;
  readonly attributes: Readonly<Record<string, string>>;
  readonly claims: Readonly<Record<string, string>>;
  readonly shared: Rights | undefined;
  /** What the rights of one client take. */
  readonly filledBytes: number;
}

/** The rights of one client, by what they were made for. */
interface Filled {
  readonly clientId: string;
  readonly rulebook: Rulebook;
  readonly rights: Rights;
}

const NO_TEXTS: Readonly<Record<string, string>> = {};
const NO_CLIENT: ClientFacts = { clientId: "", userName: undefined, address: "", claims: NO_TEXTS, attributes: NO_TEXTS };
const NOTHING = rulebookOf([], "nothing");
const EVERYTHING = rulebookOf([], "everything");

export class RulesAuthorizer implements Authorizer {
  readonly #users: ReadonlyMap<string, Rulebook>;
  readonly #anonymous: Rulebook;
  readonly #acl: Acl;
  readonly #otherwise: Otherwise;
  readonly #granted = new BoundedMap<string, Rulebook>(GRANTS_PARSED_CHARACTERS_MAX);
  readonly #filled = new BoundedMap<Identity, Filled>(FILLED_RULES_BYTES_MAX);

  constructor({ users, acl, noMatch, allowsAnonymous, showsSystem = false, bindsAnonymous = false }: RuleSources) {
    this.#acl = acl;
    this.#otherwise = acl.closed || noMatch === "deny" ? "nothing" : "ordinary";
    this.#users = new Map(users.map((user) => [user.user, this.#rulebook(user.acl)]));
    const isBound = bindsAnonymous || acl.rules.length > 0 || acl.closed;
    this.#anonymous = allowsAnonymous ? this.#ofAnonymous(isBound, showsSystem) : NOTHING;
  }

  mayPublish(identity: Identity, clientId: string, topic: string, qos: QoS, retain: boolean): boolean {
    return this.#rightsOf(identity, clientId).mayPublish(topic, qos, retain);
  }

  maySubscribe(identity: Identity, clientId: string, topicFilter: string, qos: QoS): boolean {
    return this.#rightsOf(identity, clientId).maySubscribe(topicFilter, qos);
  }

  limitsReceive(identity: Identity, clientId: string): boolean {
    return this.#rightsOf(identity, clientId).limitsReceive;
  }

  mayReceive(identity: Identity, clientId: string, topic: string): boolean {
    return this.#rightsOf(identity, clientId).mayReceive(topic);
  }

  /** What it may do, which rule says so, and what holds where none does. */
  decide(identity: Identity, clientId: string, intent: Intent): Decision & { readonly otherwise: Otherwise } {
    const rulebook = this.#rulebookOf(identity);
    const { rules, otherwise } = rulebook;
    return { ...decide(rules, factsOf(identity, clientId, rulebook), otherwise, intent), otherwise };
  }

  #rightsOf(identity: Identity, clientId: string): Rights {
    const rulebook = this.#rulebookOf(identity);
    if (rulebook.shared !== undefined) return rulebook.shared;
    const known = this.#filled.get(identity);
    if (known !== undefined && known.clientId === clientId && known.rulebook === rulebook) return known.rights;
    const rights = new Rights(rulebook.rules, factsOf(identity, clientId, rulebook), rulebook.otherwise);
    this.#filled.set(identity, { clientId, rulebook, rights }, rulebook.filledBytes);
    return rights;
  }

  /** Whose rights came with the login has none of a user with the same name. */
  #rulebookOf({ userName, grants }: Identity): Rulebook {
    if (grants !== "") return this.#granted.get(grants) ?? this.#read(grants);
    if (userName === undefined) return this.#anonymous;
    return this.#users.get(userName) ?? NOTHING;
  }

  #read(text: string): Rulebook {
    const grants = parseGrants(text);
    const rulebook =
      grants === undefined ? NOTHING : grants.superuser ? EVERYTHING : this.#rulebook(grants.acl, grants.attributes, grants.claims);
    this.#granted.set(text, rulebook, text.length);
    return rulebook;
  }

  #rulebook(acl: Acl, attributes = NO_TEXTS, claims = NO_TEXTS): Rulebook {
    if (acl.closed) return rulebookOf(acl.rules, "nothing", attributes, claims);
    return rulebookOf([...acl.rules, ...this.#acl.rules], this.#otherwise, attributes, claims);
  }

  /** Without ACL everything but `$` topics: what ALLOW_ANONYMOUS says by its name. [5.0/4.7.2/publish] */
  #ofAnonymous(isBound: boolean, showsSystem: boolean): Rulebook {
    if (isBound) return this.#rulebook({ rules: [], closed: false });
    const place = "ALLOW_ANONYMOUS";
    const shown = showsSystem ? "$SYS/#" : BRIDGE_STATES;
    return rulebookOf([...allowPublish([BRIDGE_STATE], place), ...allowSubscribe([shown], place)], "ordinary");
  }
}

function factsOf({ userName, address }: Identity, clientId: string, { claims, attributes }: Rulebook): ClientFacts {
  return { clientId, userName, address, claims, attributes };
}

function rulebookOf(rules: readonly Rule[], otherwise: Otherwise, attributes = NO_TEXTS, claims = NO_TEXTS): Rulebook {
  const own = rules.filter((rule) => !isForAll(rule));
  const shared = own.length === 0 ? new Rights(rules, NO_CLIENT, otherwise) : undefined;
  const filters = own.reduce((count, rule) => count + rule.filters.length, 0);
  return { rules, otherwise, attributes, claims, shared, filledBytes: FILLED_BYTES_OF_CLIENT + filters * FILLED_BYTES_OF_FILTER };
}
