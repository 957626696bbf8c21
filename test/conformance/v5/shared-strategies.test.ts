/** Shared subscriptions: each strategy of SHARED_SUBSCRIPTION_STRATEGY does what its name says, over one object and over four. */

import { expect, it } from "vitest";
import { PUBLISH } from "../../../src/mqtt/packet.ts";
import { describeTopologies, type TestBroker } from "../../support/brokers.ts";
import { type MqttTestClient, textOf, unique } from "../../support/mqtt-client.ts";

const MEMBERS = 10;

/** Ten members of one share, and what each got of the messages. */
async function share(broker: TestBroker, messages: readonly { readonly publisher: number; readonly topic: number }[]) {
  const root = unique();
  const members = await Promise.all(Array.from({ length: MEMBERS }, () => broker.connect({ version: 5 })));
  for (const member of members) await member.subscribe(`$share/g/${root}/+`, { qos: 1 });
  const publishers = [await broker.connect({ version: 5 }), await broker.connect({ version: 5 })];
  for (const { publisher, topic } of messages) await publishers[publisher]!.publish(`${root}/${topic}`, "x", { qos: 1 });
  const count = async (member: MqttTestClient): Promise<string[]> => {
    await member.unsubscribe("none");
    return member.arrived.flatMap((packet) => (packet.type === PUBLISH ? [packet.topic] : []));
  };
  return Promise.all(members.map(count));
}

const same = (count: number) => Array.from({ length: count }, (_, index) => ({ publisher: 0, topic: index % 7 }));
const total = (got: readonly string[][]): number => got.reduce((sum, topics) => sum + topics.length, 0);

describeTopologies((broker) => {
  it("round_robin, the default: equal members get equal shares, within 10%", async () => {
    const got = await share(broker, same(200));
    expect(total(got)).toBe(200);
    for (const topics of got) expect(Math.abs(topics.length - 20)).toBeLessThanOrEqual(2);
  });

  it("only connected members get messages while there is one", async () => {
    const topic = unique();
    const filter = `$share/g/${topic}`;
    const durable = { version: 5, properties: { sessionExpiryInterval: 300 } } as const;
    const away = await broker.connect(durable);
    const here = await broker.connect(durable);
    for (const member of [away, here]) await member.subscribe(filter, { qos: 1 });
    await away.close();
    const publisher = await broker.connect({ version: 5 });
    // When the topic's object has heard that one is away, two messages in a row come to the other; before, they took turns.
    for (let got = 0; got < 2; ) {
      const before = here.arrived.length;
      for (const text of ["a", "b"]) await publisher.publish(topic, text, { qos: 1 });
      await here.unsubscribe("none");
      got = here.arrived.slice(before).filter(({ type }) => type === PUBLISH).length;
    }
    const before = here.arrived.length;
    const texts = ["1", "2", "3", "4"];
    for (const text of texts) await publisher.publish(topic, text, { qos: 1 });
    await here.unsubscribe("none");
    const got = here.arrived.slice(before).flatMap((packet) => (packet.type === PUBLISH ? [textOf(packet)] : []));
    expect(got).toEqual(texts);
  });
});

describeTopologies(
  (broker) => {
    it("sticky: one member gets everything", async () => {
      const got = await share(
        broker,
        same(40).map((message) => ({ ...message, topic: 0 })),
      );
      expect(got.map(({ length }) => length).sort((a, b) => b - a)).toEqual([40, ...Array.from({ length: MEMBERS - 1 }, () => 0)]);
    });
  },
  { SHARED_SUBSCRIPTION_STRATEGY: "sticky" },
);

describeTopologies(
  (broker) => {
    it("hash_topic: all messages of a topic go to the same member", async () => {
      const got = await share(broker, same(70));
      expect(total(got)).toBe(70);
      for (let topic = 0; topic < 7; topic += 1) {
        expect(got.filter((topics) => topics.some((each) => each.endsWith(`/${topic}`)))).toHaveLength(1);
      }
    });
  },
  { SHARED_SUBSCRIPTION_STRATEGY: "hash_topic" },
);

describeTopologies(
  (broker) => {
    it("hash_client: all messages of a publisher go to the same member", async () => {
      const messages = Array.from({ length: 40 }, (_, index) => ({ publisher: index % 2, topic: index % 2 }));
      const got = await share(broker, messages);
      expect(total(got)).toBe(40);
      for (const publisher of [0, 1]) expect(got.filter((topics) => topics.some((each) => each.endsWith(`/${publisher}`)))).toHaveLength(1);
    });
  },
  { SHARED_SUBSCRIPTION_STRATEGY: "hash_client" },
);

describeTopologies(
  (broker) => {
    it("random: everything arrives once, and not all with one member", async () => {
      const got = await share(broker, same(100));
      expect(total(got)).toBe(100);
      expect(got.filter(({ length }) => length > 0).length).toBeGreaterThan(3);
    });
  },
  { SHARED_SUBSCRIPTION_STRATEGY: "random" },
);

describeTopologies(
  (broker) => {
    it("least_inflight: idle members take turns, so that everybody gets something", async () => {
      const got = await share(broker, same(100));
      expect(total(got)).toBe(100);
      expect(got.filter(({ length }) => length > 0)).toHaveLength(MEMBERS);
    });
  },
  { SHARED_SUBSCRIPTION_STRATEGY: "least_inflight" },
);
