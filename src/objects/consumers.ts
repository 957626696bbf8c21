/**
 * Runs the handlers of consumers: gathers what comes closely together, gives one batch at a time to each, waits for it so long and no longer,
 * and tells the core what became of it. Nothing here has to survive: a start finds what was not handled, and gives it again.
 */

import { CONSUMER_MS_MAX } from "../code-limits.ts";
import { type FaultPort, guarded, problemOf } from "../fault.ts";
import type { ConsumerOptions } from "../hooks/consumer-options.ts";
import type { ConsumedMessage, HookContext } from "../hooks/contract.ts";
import { HookFaults } from "../hooks/hook-faults.ts";
import { messageView } from "../hooks/message-view.ts";
import type { Message } from "../mqtt/message.ts";
import type { Runtime, Timer } from "../runtime.ts";
import type { Consumer, ConsumerBatch } from "../session/consumer.ts";
import { isDue, isWhole } from "../session/consumer-batch.ts";
import type { SessionCore } from "../session/core.ts";
import type { SessionMachine } from "../session/machine.ts";
import { inTime } from "./in-time.ts";
import { log } from "./log.ts";

export interface ConsumersOptions {
  readonly core: SessionCore;
  readonly machine: SessionMachine;
  readonly consumers: readonly ConsumerOptions[];
  readonly context: HookContext;
  /** Of the object. */
  readonly name: string;
  readonly runtime: Runtime;
  readonly faults: FaultPort;
  /** Resolves once everything so far is in rows, and sent. */
  readonly written: () => Promise<void>;
  /** Called after anything that may have left something to flush. */
  readonly flushSoon: () => void;
}

interface Runner {
  readonly options: ConsumerOptions;
  readonly consumer: Consumer;
  /** Runs while the first of a batch waits for others. */
  gathering: Timer | undefined;
  /** It has waited long enough. */
  ripe: boolean;
}

export class ConsumerRuns {
  readonly #options: ConsumersOptions;
  readonly #runners: readonly Runner[];
  readonly #failed: HookFaults;

  constructor(options: ConsumersOptions) {
    this.#options = options;
    this.#failed = new HookFaults(options.runtime, ({ problem, others }) =>
      log("a consumer has not handled its messages", { object: options.name, problem, others }),
    );
    this.#runners = options.consumers.map((each) => ({
      options: each,
      consumer: options.core.consumers!.named(each.name)!,
      gathering: undefined,
      ripe: false,
    }));
  }

  /** Rows are written: what waits may be given to its handlers. */
  serve(): void {
    const { faults } = this.#options;
    for (const runner of this.#runners) guarded(faults, "giving messages to a consumer", undefined, () => this.#serve(runner));
  }

  #serve(runner: Runner): void {
    const { consumer, options } = runner;
    const { runtime } = this.#options;
    if (consumer.waiting === 0 || consumer.retryAt > runtime.now()) return;
    const gathers = options.batchMs > 0 && !isWhole(this.#options.core, consumer, options.batchMessages);
    if (!runner.ripe && gathers) {
      runner.gathering ??= runtime.after(options.batchMs, () => {
        runner.gathering = undefined;
        runner.ripe = true;
        this.serve();
      });
      return;
    }
    if (!isDue(consumer, runtime.now())) return;
    runner.gathering?.cancel();
    runner.gathering = undefined;
    runner.ripe = false;
    const batch = this.#options.machine.takeBatch(consumer, options.batchMessages, runtime.now());
    this.#tellGivenUp(runner);
    // What was not worth giving is to be forgotten, and there may be more behind it.
    if (batch === undefined) this.#options.flushSoon();
    else void this.#run(runner, batch);
  }

  async #run(runner: Runner, batch: ConsumerBatch): Promise<void> {
    const { machine, runtime, faults, written, flushSoon } = this.#options;
    const { consumer, options } = runner;
    // A handler that ends the object must not be given the same for ever.
    if (batch.counted) await written();
    const problem = await this.#handle(options, batch);
    guarded(faults, "ending a batch of a consumer", undefined, () => machine.consumed(consumer, problem === undefined, runtime.now()));
    if (problem !== undefined) this.#failed.caught("onMessages", `${options.name}: ${problem}`, "");
    this.#tellGivenUp(runner);
    flushSoon();
  }

  /** @returns what went wrong, if anything */
  async #handle({ handle }: ConsumerOptions, { messages }: ConsumerBatch): Promise<string | undefined> {
    const { runtime, context } = this.#options;
    const abort = new AbortController();
    try {
      const now = runtime.now();
      const given = messages.map((message) => consumed(message, now));
      const handling = Promise.resolve().then(() => handle(given, { ...context, signal: abort.signal }));
      await inTime(handling, CONSUMER_MS_MAX, runtime);
      return undefined;
    } catch (error) {
      abort.abort();
      return problemOf(error);
    }
  }

  #tellGivenUp({ consumer }: Runner): void {
    const [first, ...others] = consumer.givenUp.splice(0);
    if (first === undefined) return;
    const { topic, publisher, attempts } = first;
    const facts = { object: this.#options.name, consumer: consumer.plan.name, topic, publisher, attempts };
    log("a message is given up", { ...facts, others: others.length });
  }
}

function consumed(message: Message, now: number): ConsumedMessage {
  const { publisher, origin, sequence } = message;
  return { id: `${origin}/${sequence}`, ...messageView(message, now), publisher };
}
