/**
 * Objects crash: their memory and their sockets are gone between any two packets. Clients come back and resume as clients should. QoS 1
 * may come again, QoS 2 comes once, and nothing that was acknowledged is lost.
 */

import { afterEach, describe, expect, it } from "vitest";
import { REPEAT_WINDOW_MS } from "../../src/limits.ts";
import { PUBCOMP, PUBLISH, PUBREC, PUBREL } from "../../src/mqtt/packet.ts";
import { text, type WorkerdClient } from "../support/workerd-client.ts";
import { Device, type DeviceOptions } from "../support/workerd-device.ts";
import {
  compact,
  connect,
  crash,
  dropClients,
  durable,
  evict,
  names,
  type Place,
  passTime,
  places,
  routesWritten,
  runAlarm,
  sessionObject,
  topicObject,
  type Way,
  ways,
} from "./support.ts";

afterEach(dropClients);

/** Who crashes. */
const victims = ["the publisher's object", "the subscriber's object", "the topic's object", "all objects"] as const;
type VictimName = (typeof victims)[number];

interface Variant {
  readonly place: Place;
  readonly way: Way;
  readonly version: 4 | 5;
  readonly victim: VictimName;
}

const variants: Variant[] = places.flatMap((place, first) =>
  victims
    .filter((victim) => place === "different objects" || victim === "the subscriber's object" || victim === "all objects")
    .map((victim, second) => ({ place, victim, version: (first + second) % 2 === 0 ? 4 : 5, way: ways[(first + second) % ways.length]! })),
);

/** Messages of both kinds, in the order of their publication. */
const SENT: readonly { readonly text: string; readonly qos: 1 | 2 }[] = [
  { text: "2a", qos: 2 },
  { text: "1a", qos: 1 },
  { text: "2b", qos: 2 },
  { text: "1b", qos: 1 },
];

/** @returns how many packets there were until the end */
async function run({ place, way, version, victim }: Variant, strikeAt: number): Promise<number> {
  const { publisherId, subscriberId, topic } = names(place);
  const objects = {
    "the publisher's object": sessionObject(publisherId),
    "the subscriber's object": sessionObject(subscriberId),
    "the topic's object": topicObject(topic),
    "all objects": "all objects",
  };
  let packets = 0;
  let struck: Promise<void> | undefined;
  const onPacket = (): void => {
    packets += 1;
    // Not always at once, so that it meets what the packet sets off at different points.
    if (packets === strikeAt) struck = later(strikeAt % 4).then(() => crash(objects[victim]));
  };
  const device = (clientId: string, prepare?: DeviceOptions["prepare"]): Promise<Device> => {
    const again = (): Promise<WorkerdClient> => connect(clientId, { version, way, ...durable(version) });
    return Device.start({ connect: again, prepare: prepare ?? (async () => {}), onPacket });
  };
  const subscriber = await device(subscriberId, (client) => client.subscribe(topic, 2));
  const publisher = await device(publisherId);
  // The first two run side by side, the others one after the other.
  await Promise.all(SENT.slice(0, 2).map(({ text: payload, qos }) => publisher.publish({ topic, payload, qos })));
  for (const { text: payload, qos } of SENT.slice(2)) await publisher.publish({ topic, payload, qos });
  for (const { text: payload } of SENT) await subscriber.has(payload);
  await struck;
  const total = packets;
  // What might come again comes with the last resume, before anything newer.
  await publisher.publish({ topic, payload: "end", qos: 2 });
  await subscriber.has("end");
  for (const name of new Set([objects["the publisher's object"], objects["the subscriber's object"], objects["the topic's object"]]))
    await evict(name);
  await publisher.publish({ topic, payload: "very end", qos: 2 });
  await subscriber.has("very end");

  const twice = subscriber.received.filter(({ qos }) => qos === 2).map(({ text }) => text);
  expect(twice).toEqual(["2a", "2b", "end", "very end"]);
  const once = subscriber.received.filter(({ qos }) => qos === 1).map(({ text }) => text);
  expect([...new Set(once)]).toEqual(["1a", "1b"]);
  // It did strike.
  const hit = (object: string): boolean => strikeAt <= total && [object, "all objects"].includes(objects[victim]);
  expect([publisher.losses > 0, subscriber.losses > 0]).toEqual([hit(sessionObject(publisherId)), hit(sessionObject(subscriberId))]);
  await Promise.all([publisher.stop(), subscriber.stop()]);
  return total;
}

/** Some turns of the event loop. */
async function later(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise<void>((resolve) => setTimeout(resolve, 0));
}

describe.each(variants)("$victim crash, $place, version $version, $way", (variant) => {
  it("[MQTT5-4.3.3-1] [MQTT5-4.3.2-1] [MQTT5-4.4.0-1] [MQTT311-4.4.0-1] QoS 2 is neither lost nor repeated, QoS 1 not lost, wherever it strikes", async () => {
    for (let strikeAt = 1, packets = 1; strikeAt <= packets; strikeAt += 1) {
      try {
        packets = await run(variant, strikeAt);
      } catch (error) {
        throw new Error(`struck at packet ${strikeAt}: ${error}`, { cause: error });
      }
    }
  }, 120_000);
});

describe.each(["clean", "durable"] as const)("a repeat that comes late, to a %s session", (session) => {
  it("[MQTT5-4.3.3-10] [MQTT311-4.3.3-2] is recognised, whatever the other objects have forgotten", async () => {
    const place = places.at(-1)!;
    const way = ways.at(-1)!;
    const { publisherId, subscriberId, topic } = names(place);
    const home = sessionObject(publisherId);
    const subscribe = (): Promise<WorkerdClient> => connect(subscriberId, { way, ...(session === "durable" ? durable(4) : {}) });
    let subscriber = await subscribe();
    const take = async (payload: string): Promise<void> => {
      const message = await subscriber.expect(PUBLISH);
      expect(text(message)).toBe(payload);
      subscriber.acknowledge(PUBREC, message.packetId);
      await subscriber.expect(PUBREL);
      subscriber.acknowledge(PUBCOMP, message.packetId);
    };
    await subscriber.subscribe(topic, 2);
    const first = await connect(publisherId, { way, ...durable(4) });
    first.publish({ topic, payload: "once", qos: 2, packetId: 5 });
    await first.expect(PUBREC);
    await take("once");
    await subscriber.roundTrip();
    await crash(home);
    if (subscriber.isClosed || sessionObject(subscriberId) === home) {
      subscriber = await subscribe();
      if (session === "clean") await subscriber.subscribe(topic, 2);
      // That PUBCOMP came is not on record: PUBREL may come again.
      await subscriber.roundTrip();
      while (subscriber.inbox.length > 0) subscriber.acknowledge(PUBCOMP, (await subscriber.expect(PUBREL)).packetId);
    }
    // The log of the subscriber's object goes on, and then it forgets.
    const other = await connect(`${publisherId}-other`, { way });
    for (const packetId of [1, 2, 3]) {
      other.publish({ topic, payload: `${packetId}`, qos: 2, packetId });
      await other.expect(PUBREC);
      await take(`${packetId}`);
    }
    await subscriber.roundTrip();
    passTime(2 * REPEAT_WINDOW_MS);
    await runAlarm(sessionObject(subscriberId));
    for (const name of new Set([sessionObject(subscriberId), topicObject(topic)])) await evict(name);

    const second = await connect(publisherId, { way, ...durable(4) });
    expect(second.sessionPresent).toBe(true);
    second.publish({ topic, payload: "once", qos: 2, packetId: 5, dup: true });
    expect((await second.expect(PUBREC)).packetId).toBe(5);
    second.acknowledge(PUBREL, 5);
    await second.expect(PUBCOMP);
    second.publish({ topic, payload: "after", qos: 2, packetId: 5 });
    await second.expect(PUBREC);
    await take("after");
  });
});

it.skipIf(compact)(
  "a Topic object that is reset as soon as somebody has subscribed whose session is not kept soon knows of the subscription again",
  async () => {
    const { publisherId, subscriberId, topic } = names(places[0]!);
    const subscriber = await connect(subscriberId);
    await subscriber.subscribe(topic, 1);
    await crash(topicObject(topic));
    await routesWritten(topic, 1);
    const publisher = await connect(publisherId);
    publisher.publish({ topic, payload: "heard", qos: 1, packetId: 1 });
    expect(text(await subscriber.expect(PUBLISH))).toBe("heard");
  },
);
