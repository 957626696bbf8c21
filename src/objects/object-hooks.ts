/** The hooks of the Worker's code in one Session object: what they are given, where they are asked and told, and what they publish. */

import type { Auth } from "../auth/compose.ts";
import type { ConsumerOptions } from "../hooks/consumer-options.ts";
import type { BrokerHooks, HookContext, MessageToPublish } from "../hooks/contract.ts";
import { HookFaults } from "../hooks/hook-faults.ts";
import { draftProblem, ownPublishOf } from "../hooks/message-draft.ts";
import { OnPublish } from "../hooks/on-publish.ts";
import type { Limits } from "../limits.ts";
import type { ClientPort, WillAsker } from "../session/ports.ts";
import { clientTeller } from "./client-teller.ts";
import { inTime } from "./in-time.ts";
import { log } from "./log.ts";
import { handOnOwn, type OwnMessageOptions } from "./own-message.ts";
import { type RightsOf, rightsOf } from "./rights-of.ts";

export interface WorkersCode {
  readonly hooks: BrokerHooks;
  readonly consumers: readonly ConsumerOptions[];
  readonly env: unknown;
}

export const NO_CODE: WorkersCode = { hooks: {}, consumers: [], env: undefined };

/** The core is there when the first hook is called. */
export interface ObjectHooksOptions extends OwnMessageOptions {
  readonly code: WorkersCode;
  readonly namespace: string;
  /** Of the object. */
  readonly name: string;
  readonly limits: Limits;
}

export class ObjectHooks {
  readonly context: HookContext;
  /** Each undefined where there is no hook for it. */
  readonly onPublish: OnPublish | undefined;
  readonly wills: WillAsker | undefined;
  readonly clients: ClientPort | undefined;
  readonly #options: ObjectHooksOptions;
  readonly #faults: HookFaults;

  constructor(options: ObjectHooksOptions) {
    this.#options = options;
    const { code, namespace, name, limits, runtime } = options;
    const { hooks, env } = code;
    const faults = new HookFaults(runtime, (fault) => log("a hook failed", { object: name, ...fault }));
    const context: HookContext = { env, namespace, publish: (message) => this.#publishUnwatched(message) };
    const within = (answer: PromiseLike<unknown>, ms: number): Promise<unknown> => inTime(Promise.resolve(answer), ms, runtime);
    this.#faults = faults;
    this.context = context;
    this.onPublish = hooks.onPublish && new OnPublish({ onPublish: hooks.onPublish, context, limits, faults, within });
    this.wills = this.onPublish && this.#asking(this.onPublish);
    this.clients = clientTeller({ hooks, context, faults, runtime, count: (bytes) => options.core().ledger.add("unfinished", bytes) });
  }

  rightsOf(auth: Auth): RightsOf {
    return rightsOf(auth, this.#options.code.hooks, this.context, this.#faults);
  }

  /**
   * A message of the Worker's own code, for which no rights are asked, and no hook.
   * @returns once all who are to keep it have it in rows
   * @throws TypeError with a sentence for what is no message; Error when not everyone has it
   */
  async publish(message: MessageToPublish): Promise<void> {
    const publish = draftProblem(message) ?? ownPublishOf(message, this.#options.limits);
    if (typeof publish === "string") throw new TypeError(`publish: ${publish}`);
    // Not in the midst of what a hook is called from.
    await undefined;
    const outcome = await handOnOwn(this.#options, publish);
    if (outcome >= 0x80) throw new Error(`publish: not everyone has the message (0x${outcome.toString(16)})`);
  }

  /** The same for hooks, which may not look at what becomes of it. */
  #publishUnwatched(message: MessageToPublish): Promise<void> {
    const published = this.publish(message);
    published.catch((error) => this.#faults.caught("publish", error, ""));
    return published;
  }

  #asking(onPublish: OnPublish): WillAsker {
    const { runtime, flushSoon } = this.#options;
    return {
      askWill: (identity, clientId, will, decided) => {
        const verdict = onPublish.askWill(identity, clientId, will);
        if (!(verdict instanceof Promise)) {
          decided(verdict, runtime.now());
          return;
        }
        void verdict.then((said) => {
          decided(said, runtime.now());
          flushSoon();
        });
      },
    };
  }
}
