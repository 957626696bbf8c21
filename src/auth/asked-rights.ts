/**
 * Rights to subscribe that a hook gives where no rule says anything. The core asks at once, and a hook takes time: so the host has a hook
 * asked before it hands a SUBSCRIBE to the core (`prepare`), and what it said is here when the core asks. What nobody was asked about is
 * denied.
 *
 * Rules go first: what they allow or deny nobody is asked about. A subscription that was granted is kept when rights are looked at anew,
 * unless the hook has been asked again and has denied it: hosts ask again for those of a session before it is resumed. Nobody is asked about
 * publishing: what is published is decided by rules alone.
 */

import { BoundedMap } from "../bounded-map.ts";
import { ASKED_AT_ONCE, ASKED_FILTER_CHARACTERS_MAX, ASKED_MS_MAX, ASKED_RIGHT_BYTES, ASKED_RIGHTS_BYTES_MAX } from "../login-limits.ts";
import type { QoS } from "../mqtt/packet.ts";
import type { Runtime } from "../runtime.ts";
import type { Authorizer, Identity } from "../session/ports.ts";

/** What a client wants to subscribe to. */
export interface Wish {
  /** Without `$share/{name}/`. */
  readonly topicFilter: string;
  readonly qos: QoS;
}

/** Asks a hook. @returns undefined when it can't be had */
export type AskHook = (
  identity: Identity,
  clientId: string,
  wish: Wish,
  namespace: string,
) => Promise<"allow" | "deny" | "ignore" | undefined>;

export interface AskedRightsOptions {
  /** Rules, for publishing, */
  readonly rules: Authorizer;
  /** with what they do not speak of denied, */
  readonly closed: Authorizer;
  /** and allowed. */
  readonly open: Authorizer;
  /** What no rule and no hook says anything of. */
  readonly noMatch: "allow" | "deny";
  readonly ask: AskHook;
  /** Of the clients: those of another one may have the same names. */
  readonly namespace: string;
  readonly runtime: Runtime;
}

export class AskedRights implements Authorizer {
  readonly #options: AskedRightsOptions;
  /** Undefined: it was away when it was asked last. */
  readonly #said = new BoundedMap<string, boolean | undefined>(ASKED_RIGHTS_BYTES_MAX);

  constructor(options: AskedRightsOptions) {
    this.#options = options;
  }

  mayPublish(identity: Identity, clientId: string, topic: string, qos: QoS, retain: boolean): boolean {
    return this.#options.rules.mayPublish(identity, clientId, topic, qos, retain);
  }

  maySubscribe(identity: Identity, clientId: string, topicFilter: string, qos: QoS): boolean {
    return (
      this.#byRules(identity, clientId, { topicFilter, qos }) ?? this.#said.get(nameOf(identity, clientId, { topicFilter, qos })) ?? false
    );
  }

  mayKeep(identity: Identity, clientId: string, topicFilter: string, qos: QoS): boolean {
    return (
      this.#byRules(identity, clientId, { topicFilter, qos }) ?? this.#said.get(nameOf(identity, clientId, { topicFilter, qos })) ?? true
    );
  }

  /** What a granted subscription brings is not denied but by a rule. */
  limitsReceive(identity: Identity, clientId: string): boolean {
    return this.#options.open.limitsReceive(identity, clientId);
  }

  mayReceive(identity: Identity, clientId: string, topic: string): boolean {
    return this.#options.open.mayReceive(identity, clientId, topic);
  }

  /**
   * Has a hook asked for what no rule says anything of.
   * @returns undefined when there is nothing to ask; else it resolves when all is known, to whether the hook was there for all of it. It
   *   never rejects.
   */
  prepare(identity: Identity, clientId: string, wishes: readonly Wish[]): Promise<boolean> | undefined {
    const open = wishes.filter((wish) => this.#byRules(identity, clientId, wish) === undefined);
    return open.length === 0 ? undefined : this.#askAll(identity, clientId, open);
  }

  /** @returns undefined when they do not say anything of all or of a part of what the filter can match, and somebody may be asked */
  #byRules(identity: Identity, clientId: string, { topicFilter, qos }: Wish): boolean | undefined {
    const { open, closed } = this.#options;
    if (closed.maySubscribe(identity, clientId, topicFilter, qos)) return true;
    const mayBeAsked = topicFilter.length <= ASKED_FILTER_CHARACTERS_MAX;
    return mayBeAsked && open.maySubscribe(identity, clientId, topicFilter, qos) ? undefined : false;
  }

  /** Some at a time, so that one client does not hold up those of others. */
  async #askAll(identity: Identity, clientId: string, wishes: readonly Wish[]): Promise<boolean> {
    const { ask, noMatch, namespace, runtime } = this.#options;
    const left = [...new Map(wishes.map((wish) => [nameOf(identity, clientId, wish), wish]))];
    const since = runtime.now();
    let isThere = true;
    const askInTurn = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const [name, wish] = next;
        const isInTime = runtime.now() - since < ASKED_MS_MAX;
        const answer = isInTime ? await ask(identity, clientId, wish, namespace).catch(() => undefined) : undefined;
        isThere &&= answer !== undefined;
        const isAllowed = answer === "allow" || (answer === "ignore" && noMatch === "allow");
        // A hook that is away gives nothing, and takes nothing from anybody who has it.
        this.#said.set(name, answer === undefined ? undefined : isAllowed, ASKED_RIGHT_BYTES + 2 * name.length);
      }
    };
    await Promise.all(Array.from({ length: ASKED_AT_ONCE }, askInTurn));
    return isThere;
  }
}

function nameOf({ userName }: Identity, clientId: string, { topicFilter, qos }: Wish): string {
  return JSON.stringify([userName ?? null, clientId, qos, topicFilter]);
}
