/** What MQTT 5.0 adds to the state of connections and sessions, when the objects lose their memory in between and the sockets stay. */

import { afterEach, describe, expect, it } from "vitest";
import { LATER_MS } from "../../src/limits.ts";
import { PUBACK, PUBLISH } from "../../src/mqtt/packet.ts";
import { text, type WorkerdClient } from "../support/workerd-client.ts";
import { connect, dropClients, durable, evict, hurry, names, places } from "./support.ts";

// Routes get their rows this much later, and no object hibernates before that.
hurry(LATER_MS);

afterEach(dropClients);

/** The next messages, acknowledged. */
async function take(client: WorkerdClient, count: number): Promise<string[]> {
  const texts: string[] = [];
  while (texts.length < count) {
    const publish = await client.expect(PUBLISH);
    texts.push(text(publish));
    if (publish.qos === 1) client.acknowledge(PUBACK, publish.packetId);
  }
  return texts;
}

describe.each(places)("%s", (place) => {
  it("[MQTT5-3.3.2-12] a client's Topic Aliases stand for their topics, also when they are too large for an attachment", async () => {
    const { publisherId, subscriberId, topic } = names(place);
    const subscriber = await connect(subscriberId, { version: 5 });
    await subscriber.subscribe(`${topic}/#`, 0);
    const publisher = await connect(publisherId, { version: 5 });
    const long = "x".repeat(1000);
    for (let alias = 1; alias <= 32; alias += 1) {
      publisher.publish({ topic: `${topic}/${alias}/${long}`, payload: "named", qos: 0, properties: { topicAlias: alias } });
    }
    expect(await take(subscriber, 32)).toEqual(Array.from({ length: 32 }, () => "named"));
    await evict("all objects");
    for (const alias of [1, 17, 32]) {
      publisher.publish({ topic: "", payload: `by alias ${alias}`, qos: 0, properties: { topicAlias: alias } });
      const publish = await subscriber.expect(PUBLISH);
      expect([publish.topic, text(publish)]).toEqual([`${topic}/${alias}/${long}`, `by alias ${alias}`]);
    }
  });

  it("[MQTT5-3.1.2-26] the broker gives an alias only with a topic that the client can know it by", async () => {
    const { publisherId, subscriberId, topic } = names(place);
    const subscriber = await connect(subscriberId, { version: 5, properties: { topicAliasMaximum: 1 } });
    await subscriber.subscribe(topic, 0);
    const publisher = await connect(publisherId, { version: 5 });
    const known = new Map<number, string>();
    for (let round = 0; round < 8; round += 1) {
      if (round === 4) await evict("all objects");
      publisher.publish({ topic, payload: `${round}`, qos: 0 });
      const publish = await subscriber.expect(PUBLISH);
      const alias = publish.properties.topicAlias;
      if (alias !== undefined) expect(alias).toBe(1);
      if (alias !== undefined && publish.topic !== "") known.set(alias, publish.topic);
      expect([publish.topic || known.get(alias!), text(publish)]).toEqual([topic, `${round}`]);
    }
    expect(known.size).toBe(1);
  });

  it("[MQTT5-3.3.4-9] [MQTT5-4.9.0-2] the client's Receive Maximum is kept, and what waits goes on as it acknowledges", async () => {
    const { publisherId, subscriberId, topic } = names(place);
    const options = { ...durable(5), properties: { sessionExpiryInterval: 300, receiveMaximum: 2 } };
    const subscriber = await connect(subscriberId, options);
    await subscriber.subscribe(topic, 1);
    const publisher = await connect(publisherId, { version: 5 });
    for (let packetId = 1; packetId <= 6; packetId += 1) {
      publisher.publish({ topic, payload: `${packetId}`, qos: 1, packetId });
      await publisher.expect(PUBACK);
    }
    const first = [await subscriber.expect(PUBLISH), await subscriber.expect(PUBLISH)];
    expect(first.map(text)).toEqual(["1", "2"]);
    for (let step = 3; step <= 6; step += 1) {
      await evict("all objects");
      // Nothing comes but for an acknowledgement: the round trip would bring it.
      await subscriber.roundTrip();
      subscriber.acknowledge(PUBACK, first.shift()!.packetId);
      const next = await subscriber.expect(PUBLISH);
      expect([text(next), next.dup]).toEqual([`${step}`, false]);
      first.push(next);
    }
  });

  it("[5.0/3.8.2.1.2/stored] [5.0/3.3.4/shared-id] Subscription Identifiers stay with their subscriptions, shared ones too", async () => {
    const { publisherId, subscriberId, topic } = names(place);
    const subscriber = await connect(subscriberId, { version: 5 });
    await subscriber.subscribe(topic, 0, {}, { subscriptionIdentifiers: [7] });
    await subscriber.subscribe(`$share/g/${topic}`, 0, {}, { subscriptionIdentifiers: [8] });
    const publisher = await connect(publisherId, { version: 5 });
    await evict("all objects");
    publisher.publish({ topic, payload: "x", qos: 0 });
    const copies = [await subscriber.expect(PUBLISH), await subscriber.expect(PUBLISH)];
    expect(copies.map(({ properties }) => properties.subscriptionIdentifiers).sort()).toEqual([[7], [8]]);
  });

  it("[5.0/4.8.2/one] [5.0/4.8.2/qos1-handover] members of a shared subscription share alike; what one leaves behind goes to the other", async () => {
    const { publisherId, subscriberId, topic } = names(place);
    const filter = `$share/g/${topic}`;
    const members = [await connect(subscriberId, { version: 5 }), await connect(`${publisherId}-member`, { version: 5 })];
    for (const member of members) await member.subscribe(filter, 1);
    const publisher = await connect(publisherId, { version: 5 });
    await evict("all objects");
    for (let packetId = 1; packetId <= 4; packetId += 1) {
      publisher.publish({ topic, payload: `${packetId}`, qos: 1, packetId });
      await publisher.expect(PUBACK);
    }
    const left = [await members[0]!.expect(PUBLISH), await members[0]!.expect(PUBLISH)].map(text);
    const kept = await take(members[1]!, 2);
    expect([...left, ...kept].sort()).toEqual(["1", "2", "3", "4"]);
    await members[0]!.disconnect();
    expect((await take(members[1]!, 2)).sort()).toEqual(left.sort());
  });
});
