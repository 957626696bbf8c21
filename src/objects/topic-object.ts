/**
 * The Topic object: owns topics, who wants them and their retained messages, and fans messages out to Session objects. Thin; what it
 * decides is in the routing core.
 */

import { DurableObject } from "cloudflare:workers";
import { type BrokerEnv, requireSettings } from "./env.ts";
import { Meter, type Usage } from "./meter.ts";
import { TopicHost } from "./topic-host.ts";

export class TopicObject extends DurableObject<BrokerEnv> {
  readonly #host: TopicHost;
  readonly #meter = new Meter();

  constructor(ctx: DurableObjectState, env: BrokerEnv) {
    super(ctx, env);
    this.#host = new TopicHost({
      settings: requireSettings(env),
      name: ctx.id.name!,
      sql: ctx.storage.sql,
      sessions: env.SESSIONS,
      meter: this.#meter,
    });
  }

  /** A batch of publishes and interests from a Session object (`mqtt/batch.ts`). @returns one Reason Code for each record */
  exchange(batch: Uint8Array): Promise<Uint8Array> {
    return this.#host.exchange(batch);
  }

  /** What this object did that is billed, since it woke. */
  usage(): Usage {
    return this.#meter.usage();
  }
}
