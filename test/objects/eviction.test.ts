/**
 * Objects hibernate whenever nothing happens for a while: their memory goes, their sockets stay. So here they lose it between any two
 * steps of an exchange. Nothing may be lost, come twice or get another Packet Identifier for it.
 */

import { describe, expect, it } from "vitest";
import { LATER_MS } from "../../src/limits.ts";
import {
  type AcknowledgementType,
  type ProtocolVersion,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  type QoS,
} from "../../src/mqtt/packet.ts";
import { type ConnectOptions, text, type WorkerdClient } from "../support/workerd-client.ts";
import {
  compact,
  connect,
  dropClients,
  durable,
  evict,
  hurry,
  names,
  type Place,
  places,
  routesWritten,
  sessionObject,
  topicObject,
  type Victim,
  type Way,
  ways,
} from "./support.ts";

// Routes get their rows this much later, and no object hibernates before that.
hurry(LATER_MS);

interface Step {
  readonly name: string;
  readonly run: () => Promise<unknown>;
}

/** One run of a scenario: its clients are connected, its steps wait. */
interface Scenario {
  readonly victims: readonly Victim[];
  readonly steps: readonly Step[];
}

/** Runs the scenario once for each step and each victim, with the victim evicted after the step. */
async function evictAfterEachStep(begin: () => Promise<Scenario>): Promise<void> {
  for (let at = 0, steps = 1; at < steps; at += 1) {
    for (let which = 0, victims = 1; which < victims; which += 1) {
      const scenario = await begin();
      steps = scenario.steps.length;
      victims = scenario.victims.length;
      const victim = scenario.victims[which]!;
      for (const [index, step] of scenario.steps.entries()) {
        try {
          await step.run();
        } catch (error) {
          throw new Error(`${victim} evicted after "${scenario.steps[at]!.name}": "${step.name}" failed: ${error}`, { cause: error });
        }
        if (index === at) await evict(victim);
      }
      await dropClients();
    }
  }
}

/** A message that must come next, with this Packet Identifier. */
async function expectMessage(
  client: WorkerdClient,
  expected: { payload: string; qos: QoS; packetId: number; dup?: boolean },
): Promise<void> {
  const packet = await client.expect(PUBLISH);
  const { qos, packetId, dup } = packet;
  expect({ payload: text(packet), qos, packetId, dup }).toEqual({ dup: false, ...expected });
}

async function expectAcknowledgement(client: WorkerdClient, type: AcknowledgementType, packetId: number): Promise<void> {
  const packet = await client.expect(type);
  expect([packet.packetId, packet.reasonCode]).toEqual([packetId, 0]);
}

/** Nothing came but what was taken, and the way from publisher to subscriber still holds: on it nothing overtakes. */
async function expectNothingMore(publisher: WorkerdClient, subscriber: WorkerdClient, topic: string): Promise<void> {
  publisher.publish({ topic, payload: "the end" });
  await expectMessage(subscriber, { payload: "the end", qos: 0, packetId: 0 });
  await publisher.roundTrip();
  expect([publisher.inbox, subscriber.inbox]).toEqual([[], []]);
}

interface Variant {
  readonly version: ProtocolVersion;
  readonly session: "clean" | "durable";
  readonly place: Place;
  readonly way: Way;
}

/** In the compact shape every pair of version and session; else, where runs take longer, each version and each way with each place. */
const variants: Variant[] = places.flatMap((place, first) =>
  (["clean", "durable"] as const).flatMap((session, second) =>
    (compact ? ([4, 5] as const) : [(((first + second) % 2) + 4) as 4 | 5]).map((version) => ({
      version,
      session,
      place,
      way: version === 4 ? ways[0]! : ways.at(-1)!,
    })),
  ),
);

async function pair({ version, session, place, way }: Variant) {
  const { publisherId, subscriberId, topic } = names(place);
  const options: ConnectOptions & { way: Way } = { version, way, ...(session === "durable" ? durable(version) : {}) };
  const publisher = await connect(publisherId, options);
  const subscriber = await connect(subscriberId, options);
  const victims = [...new Set<Victim>([sessionObject(publisherId), sessionObject(subscriberId), topicObject(topic), "all objects"])];
  return { publisher, subscriber, topic, victims, options };
}

describe.each(variants)("$session sessions, version $version, $place, $way", (variant) => {
  it(
    "[MQTT5-4.3.3-8] [MQTT5-4.3.3-10] [MQTT5-4.3.3-4] [MQTT5-4.3.3-5] [MQTT311-4.3.3-1] [MQTT311-4.3.3-2] [MQTT5-2.2.1-4] QoS 2 survives evictions in between",
    () =>
      evictAfterEachStep(async () => {
        const { publisher, subscriber, topic, victims } = await pair(variant);
        const steps: Step[] = [
          {
            name: "SUBSCRIBE",
            run: async () => {
              await subscriber.subscribe(topic, 2);
              // The platform lets no object sleep so soon.
              await routesWritten(topic, 1);
            },
          },
          {
            name: "PUBLISH",
            run: async () => {
              publisher.publish({ topic, payload: "one", qos: 2, packetId: 7 });
              await expectAcknowledgement(publisher, PUBREC, 7);
              await expectMessage(subscriber, { payload: "one", qos: 2, packetId: 1 });
            },
          },
          {
            name: "PUBLISH again",
            run: async () => {
              publisher.publish({ topic, payload: "one", qos: 2, packetId: 7, dup: true });
              await expectAcknowledgement(publisher, PUBREC, 7);
            },
          },
          {
            name: "PUBREC",
            run: async () => {
              subscriber.acknowledge(PUBREC, 1);
              await expectAcknowledgement(subscriber, PUBREL, 1);
            },
          },
          {
            name: "PUBREC again",
            run: async () => {
              subscriber.acknowledge(PUBREC, 1);
              await expectAcknowledgement(subscriber, PUBREL, 1);
            },
          },
          {
            name: "PUBREL",
            run: async () => {
              publisher.acknowledge(PUBREL, 7);
              await expectAcknowledgement(publisher, PUBCOMP, 7);
            },
          },
          {
            name: "a message under the same identifier",
            run: async () => {
              publisher.publish({ topic, payload: "two", qos: 2, packetId: 7 });
              await expectAcknowledgement(publisher, PUBREC, 7);
              await expectMessage(subscriber, { payload: "two", qos: 2, packetId: 2 });
            },
          },
          {
            name: "PUBCOMP",
            run: async () => {
              subscriber.acknowledge(PUBCOMP, 1);
              await subscriber.roundTrip();
            },
          },
          {
            name: "a third message",
            run: async () => {
              publisher.acknowledge(PUBREL, 7);
              await expectAcknowledgement(publisher, PUBCOMP, 7);
              publisher.publish({ topic, payload: "three", qos: 1, packetId: 8 });
              await expectAcknowledgement(publisher, PUBACK, 8);
              await expectMessage(subscriber, { payload: "three", qos: 1, packetId: 3 });
            },
          },
          {
            name: "the third acknowledged before the second",
            run: async () => {
              subscriber.acknowledge(PUBACK, 3);
              await subscriber.roundTrip();
            },
          },
          {
            name: "a fourth message",
            run: async () => {
              publisher.publish({ topic, payload: "four", qos: 1, packetId: 9 });
              await expectAcknowledgement(publisher, PUBACK, 9);
              await expectMessage(subscriber, { payload: "four", qos: 1, packetId: 4 });
            },
          },
          {
            name: "all acknowledged",
            run: async () => {
              subscriber.acknowledge(PUBACK, 4);
              subscriber.acknowledge(PUBREC, 2);
              await expectAcknowledgement(subscriber, PUBREL, 2);
              subscriber.acknowledge(PUBCOMP, 2);
              await subscriber.roundTrip();
            },
          },
          { name: "the end", run: () => expectNothingMore(publisher, subscriber, topic) },
        ];
        return { victims, steps };
      }),
    120_000,
  );
});

describe.each(variants.filter(({ session }) => session === "durable"))("resume, version $version, $place, $way", (variant) => {
  it(
    "[MQTT5-4.4.0-1] [MQTT311-4.4.0-1] [MQTT5-4.3.3-6] a queue is delivered and acknowledged once, whatever is evicted in between",
    () =>
      evictAfterEachStep(async () => {
        const { publisher, subscriber: first, topic, victims, options } = await pair(variant);
        let subscriber = first;
        const reconnect = async (): Promise<void> => {
          subscriber = await connect(first.clientId, { ...options, clean: false });
          expect(subscriber.sessionPresent).toBe(true);
        };
        const publish = async (payload: string, qos: 1 | 2, packetId: number): Promise<void> => {
          publisher.publish({ topic, payload, qos, packetId });
          await expectAcknowledgement(publisher, qos === 1 ? PUBACK : PUBREC, packetId);
        };
        const steps: Step[] = [
          { name: "SUBSCRIBE", run: () => subscriber.subscribe(topic, 2) },
          { name: "DISCONNECT", run: () => subscriber.disconnect() },
          {
            name: "two messages",
            run: async () => {
              await publish("a", 1, 11);
              await publish("b", 2, 12);
            },
          },
          {
            name: "two more",
            run: async () => {
              await publish("c", 1, 13);
              await publish("d", 2, 14);
            },
          },
          {
            name: "resume",
            run: async () => {
              await reconnect();
              await expectMessage(subscriber, { payload: "a", qos: 1, packetId: 1 });
              await expectMessage(subscriber, { payload: "b", qos: 2, packetId: 2 });
              await expectMessage(subscriber, { payload: "c", qos: 1, packetId: 3 });
              await expectMessage(subscriber, { payload: "d", qos: 2, packetId: 4 });
            },
          },
          {
            name: "two acknowledged",
            run: async () => {
              subscriber.acknowledge(PUBACK, 1);
              subscriber.acknowledge(PUBREC, 2);
              await expectAcknowledgement(subscriber, PUBREL, 2);
            },
          },
          { name: "DISCONNECT before the rest", run: () => subscriber.disconnect() },
          {
            name: "second resume",
            run: async () => {
              await reconnect();
              await expectAcknowledgement(subscriber, PUBREL, 2);
              await expectMessage(subscriber, { payload: "c", qos: 1, packetId: 3, dup: true });
              await expectMessage(subscriber, { payload: "d", qos: 2, packetId: 4, dup: true });
            },
          },
          {
            name: "a new message",
            run: async () => {
              await publish("e", 1, 15);
              await expectMessage(subscriber, { payload: "e", qos: 1, packetId: 5 });
            },
          },
          {
            name: "the rest acknowledged",
            run: async () => {
              subscriber.acknowledge(PUBCOMP, 2);
              subscriber.acknowledge(PUBACK, 3);
              subscriber.acknowledge(PUBACK, 5);
              subscriber.acknowledge(PUBREC, 4);
              await expectAcknowledgement(subscriber, PUBREL, 4);
              subscriber.acknowledge(PUBCOMP, 4);
              await subscriber.roundTrip();
            },
          },
          {
            name: "the connection lost",
            run: async () => {
              await subscriber.drop();
              // Whoever comes next meets an object that has noticed.
              await connect(first.clientId.replace("subscriber", "neighbour"), options);
            },
          },
          {
            name: "third resume",
            run: async () => {
              await reconnect();
              await expectNothingMore(publisher, subscriber, topic);
            },
          },
          {
            name: "the next identifier",
            run: async () => {
              await publish("f", 1, 16);
              await expectMessage(subscriber, { payload: "f", qos: 1, packetId: 6 });
            },
          },
        ];
        return { victims, steps };
      }),
    120_000,
  );
});
