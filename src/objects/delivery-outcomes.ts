/**
 * What becomes of the deliveries of a batch that a Session object has answered: they are done, wait for clients that are slow there, or go to another
 * member of a shared subscription; and routes that led to nobody go.
 */

import type { FaultPort } from "../fault.ts";
import type { DeliveryAnswer, Unwanted } from "../mqtt/delivery-answer.ts";
import { JointOutcome } from "../mqtt/joint-outcome.ts";
import type { Message } from "../mqtt/message.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR, QUOTA_EXCEEDED, SUCCESS } from "../mqtt/reason-code.ts";
import type { RoutingCore } from "../routing/core.ts";
import type { Delivered } from "../routing/ports.ts";
import type { Runtime } from "../runtime.ts";
import type { HeldDeliveries } from "./held-deliveries.ts";
import { attemptAfter, type Cause, type Delivery, type Refused } from "./topic-delivery.ts";

export interface DeliveryOutcomesOptions {
  readonly routing: () => RoutingCore;
  readonly held: HeldDeliveries;
  readonly runtime: Runtime;
  readonly faults: FaultPort;
  /** Sends on for the sake of the record that a delivery was made for. */
  readonly because: (cause: Cause | undefined, send: () => void) => void;
}

export class DeliveryOutcomes {
  readonly #options: DeliveryOutcomesOptions;

  constructor(options: DeliveryOutcomesOptions) {
    this.#options = options;
  }

  /** A Session object has answered a batch, by its number. */
  take(sessionObject: string, batch: number, deliveries: readonly Delivery[], answer: DeliveryAnswer): void {
    const { held: heldDeliveries, faults } = this.#options;
    const { version, unwanted, slow, counts } = answer;
    for (const each of counts) deliveries[each.record]?.message?.receipt?.add(each);
    const refused = new Map<Delivery, Refused>();
    for (const each of unwanted) {
      const delivery = deliveries[each.record];
      if (delivery?.message === undefined) continue;
      try {
        this.#unwanted(sessionObject, delivery, delivery.message, each, version, refused);
      } catch (error) {
        faults.caught(error, `taking what ${sessionObject} did not want`, delivery.message.publisher);
      }
    }
    const held = heldDeliveries.hold(sessionObject, batch, slow, deliveries);
    for (const delivery of deliveries) {
      try {
        const of = refused.get(delivery);
        const done = held.get(delivery) ?? delivery.done;
        if (of === undefined) done?.(SUCCESS);
        else this.#redistribute(delivery, sessionObject, of, done);
      } catch (error) {
        faults.caught(error, `taking what ${sessionObject} answered`, delivery.message?.publisher);
      }
    }
  }

  /** A delivery is done when each shared subscription that nobody took it for where it was sent has given it to a member elsewhere. */
  #redistribute(delivery: Delivery, sessionObject: string, { outcome, shares }: Refused, done: Delivered | undefined): void {
    const joint = new JointOutcome((reasonCode) => done?.(reasonCode), shares.length + 1, outcome);
    const { runtime, faults, because } = this.#options;
    const routing = this.#options.routing();
    const now = runtime.now();
    because(delivery.cause, () => {
      for (const { share, full } of shares) {
        const attempt = attemptAfter(delivery, share, full, sessionObject);
        const otherwise = full ? QUOTA_EXCEEDED : SUCCESS;
        try {
          if (full) routing.declined(sessionObject, share, attempt.demand, now);
          routing.redistribute(delivery.message!, { filter: share, attempt, otherwise, now }, joint.settled);
        } catch (error) {
          faults.caught(error, "finding another member", delivery.message?.publisher);
          joint.settled(IMPLEMENTATION_SPECIFIC_ERROR);
        }
      }
    });
    joint.settled(SUCCESS);
  }

  /** Something of a delivery was not taken: the route that led it there is stale, or somebody's queue is full. */
  #unwanted(
    sessionObject: string,
    delivery: Delivery,
    { topic }: Message,
    { share, full }: Unwanted,
    version: number,
    refused: Map<Delivery, Refused>,
  ): void {
    const of = refused.get(delivery) ?? { outcome: SUCCESS, shares: [] };
    if (share === undefined && full) of.outcome = QUOTA_EXCEEDED;
    else if (share !== undefined) of.shares.push({ share, full });
    if (share !== undefined || full) refused.set(delivery, of);
    if (full) return;
    const routing = this.#options.routing();
    if (share === undefined) routing.nobodyWants(sessionObject, topic, version);
    else routing.noMember(sessionObject, share, version);
  }
}
