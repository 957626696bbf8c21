/**
 * Rights that a Worker's code gives, at once, before any rule is asked; what it says nothing of is decided by rules. What a subscription brings
 * that it has allowed is not denied but by itself or by a rule: rules that say nothing of a topic do not take it back.
 */

import type { Wish } from "../auth/asked-rights.ts";
import type { QoS } from "../mqtt/packet.ts";
import type { Authorizer, Identity } from "../session/ports.ts";
import { clientView } from "./client-view.ts";
import type { BrokerHooks, HookContext, Question } from "./contract.ts";
import type { HookFaults } from "./hook-faults.ts";

export interface CodeAuthorizerOptions {
  readonly authorize: NonNullable<BrokerHooks["authorize"]>;
  readonly context: HookContext;
  /** Of what it says nothing. */
  readonly rules: Authorizer;
  /** The same for deliveries: rules, with what they do not speak of allowed. */
  readonly open: Pick<Authorizer, "limitsReceive" | "mayReceive">;
  readonly faults: HookFaults;
}

export class CodeAuthorizer implements Authorizer {
  readonly #options: CodeAuthorizerOptions;

  constructor(options: CodeAuthorizerOptions) {
    this.#options = options;
  }

  mayPublish(identity: Identity, clientId: string, topic: string, qos: QoS, retain: boolean): boolean {
    return (
      this.#ask(identity, clientId, "publish", topic, qos, retain) ?? this.#options.rules.mayPublish(identity, clientId, topic, qos, retain)
    );
  }

  maySubscribe(identity: Identity, clientId: string, topicFilter: string, qos: QoS): boolean {
    return (
      this.#ask(identity, clientId, "subscribe", topicFilter, qos, false) ??
      this.#options.rules.maySubscribe(identity, clientId, topicFilter, qos)
    );
  }

  mayKeep(identity: Identity, clientId: string, topicFilter: string, qos: QoS): boolean {
    const { rules } = this.#options;
    const wish = [identity, clientId, topicFilter, qos] as const;
    return this.#ask(identity, clientId, "subscribe", topicFilter, qos, false) ?? rules.mayKeep?.(...wish) ?? rules.maySubscribe(...wish);
  }

  limitsReceive(): boolean {
    return true;
  }

  mayReceive(identity: Identity, clientId: string, topic: string): boolean {
    const { open } = this.#options;
    const said = this.#ask(identity, clientId, "receive", topic, 0, false);
    return said ?? (!open.limitsReceive(identity, clientId) || open.mayReceive(identity, clientId, topic));
  }

  /** Whether nobody else has to be asked about a subscription. */
  decides(identity: Identity, clientId: string, { topicFilter, qos }: Wish): boolean {
    return this.#ask(identity, clientId, "subscribe", topicFilter, qos, false) !== undefined;
  }

  #ask(identity: Identity, clientId: string, action: Question["action"], topic: string, qos: QoS, retain: boolean): boolean | undefined {
    const { authorize, context, faults } = this.#options;
    try {
      const said: unknown = authorize({ action, topic, qos, retain, client: clientView(identity, clientId) }, context);
      if (said === undefined || typeof said === "boolean") return said;
      const isPromise = said instanceof Promise;
      // Nobody will look at what it rejects with.
      if (isPromise) said.catch(() => {});
      const what = isPromise ? "a promise" : "something else";
      faults.caught("authorize", `it must answer true, false or undefined at once, and has answered with ${what}: that denies`, clientId);
    } catch (error) {
      faults.caught("authorize", error, clientId);
    }
    return false;
  }
}
