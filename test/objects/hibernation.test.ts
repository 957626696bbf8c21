/** What an object has to know when it wakes without memory: subscriptions, retained messages, wills, deadlines. */

import { runInDurableObject } from "cloudflare:test";
import { exports } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { AWAKE_MS_MAX, LIVENESS_MS, RESTART_GRACE_MS } from "../../src/limits.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import {
  NO_PROPERTIES,
  PINGREQ,
  PINGRESP,
  PUBACK,
  PUBLISH,
  PUBREC,
  SUBACK,
  SUBSCRIBE,
  UNSUBACK,
  UNSUBSCRIBE,
  type Will,
} from "../../src/mqtt/packet.ts";
import type { MqttService } from "../../src/service/contract.ts";
import { publishPacket, text, type WorkerdClient } from "../support/workerd-client.ts";
import {
  alarmOf,
  connect,
  dropClients,
  durable,
  evict,
  names,
  passTime,
  places,
  runAlarm,
  sessionObject,
  sessionStub,
  settings,
  Timers,
  topicObject,
  usage,
  ways,
} from "./support.ts";

const place = places.at(-1)!;
const way = ways.at(-1)!;
const SECOND = 1000;
const encoder = new TextEncoder();
const service = (exports as unknown as { readonly MqttService: Service<MqttService> }).MqttService;

/** Of what is told of who is there. */
type Fields = Readonly<Record<"event" | "clientid" | "count", unknown>>;

afterEach(dropClients);

async function expectWaiting(client: WorkerdClient, payload: string, packetId: number): Promise<void> {
  const packet = await client.expect(PUBLISH);
  expect([text(packet), packet.packetId, packet.dup]).toEqual([payload, packetId, false]);
}

async function messages(client: WorkerdClient, count: number): Promise<string[]> {
  const texts: string[] = [];
  while (texts.length < count) texts.push(text(await client.expect(PUBLISH)));
  return texts;
}

describe("the alarm of the runtime", () => {
  // The first test of the file: the runtime's clock does not follow `passTime`.
  it("[MQTT5-3.1.2-22] [MQTT311-3.1.2-24] Keep Alive ends a connection whose object sleeps", async () => {
    const { publisherId: clientId } = names(place);
    const client = await connect(clientId, { way: "handed over", keepAliveSeconds: 1 });
    await evict(sessionObject(clientId));
    // The alarm of the runtime itself wakes it.
    await client.closed;
    expect(await client.next()).toBeUndefined();
  });
});

describe("subscriptions of clean sessions", () => {
  it.each(ways)("[MQTT5-3.8.4-3] [MQTT5-3.3.4-4] [MQTT5-3.8.3-3] options and identifiers come back with the socket, %s", async (each) => {
    const { publisherId, subscriberId, topic } = names(place);
    const subscriber = await connect(subscriberId, { version: 5, way: each });
    const publisher = await connect(publisherId, { version: 5, way: each });
    await subscriber.subscribe(`${topic}/+`, 1, { retainAsPublished: true }, { subscriptionIdentifiers: [11] });
    await subscriber.subscribe(`${topic}/#`, 0, {}, { subscriptionIdentifiers: [12] });
    await subscriber.subscribe(`${topic}/gone`, 2);
    await subscriber.unsubscribe(`${topic}/gone`);
    await publisher.subscribe(`${topic}/own`, 1, { noLocal: true });
    await evict("all objects");

    publisher.publish({ topic: `${topic}/own`, payload: "a", qos: 2, packetId: 1, retain: true });
    const packet = await subscriber.expect(PUBLISH);
    expect([text(packet), packet.qos, packet.retain, packet.packetId]).toEqual(["a", 1, true, 1]);
    expect([...(packet.properties.subscriptionIdentifiers ?? [])].sort()).toEqual([11, 12]);
    await publisher.next();
    await publisher.roundTrip();
    expect(publisher.inbox).toEqual([]);
  });

  it("an unsubscription before the eviction counts after it", async () => {
    const { publisherId, subscriberId, topic } = names(place);
    const subscriber = await connect(subscriberId, { way });
    const publisher = await connect(publisherId, { way });
    for (const name of ["a", "b"]) await subscriber.subscribe(`${topic}/${name}`, 0);
    await subscriber.unsubscribe(`${topic}/a`);
    await evict(sessionObject(subscriberId));
    for (const name of ["a", "b"]) publisher.publish({ topic: `${topic}/${name}`, payload: name });
    expect(await messages(subscriber, 1)).toEqual(["b"]);
  });

  it("who goes while all sleep has left, for who watches; who stays has not, nor who was reset and is back", async () => {
    const { publisherId, subscriberId, topic } = names(place);
    const watcher = await service.subscribe(`$presence/${topic}`, { qos: 1 });
    const told = async (): Promise<string> => {
      const { event, clientid, count } = JSON.parse(new TextDecoder().decode((await watcher.next()).value!.payload)) as Fields;
      return `${event} ${clientid === undefined ? "" : clientid === publisherId ? "one" : "two"} ${count}`;
    };
    expect(await told()).toBe("state  0");
    const kept = durable(4);
    const [one, two] = [await connect(publisherId, { way, ...kept }), await connect(subscriberId, { way, ...kept })];
    await one.subscribe(topic, 1);
    expect(await told()).toBe("join one 1");
    await two.subscribe(topic, 1);
    expect(await told()).toBe("join two 2");
    await evict("all objects");
    await one.drop();
    expect(await told()).toBe("leave one 1");
    await connect(publisherId, { way, ...kept });
    expect(await told()).toBe("join one 2");
    await evict("all objects");
    await two.unsubscribe(topic);
    expect(await told()).toBe("leave two 1");
    await watcher.return();
  });

  it.each(ways)("very many in one SUBSCRIBE, taken in slices, come back when it was answered, %s", async (each) => {
    const { publisherId, subscriberId, topic } = names(place);
    const subscriber = await connect(subscriberId, { way: each });
    const publisher = await connect(publisherId, { way: each });
    const filters = Array.from({ length: 120 }, (_, index) => `${topic}/${index}/+`);
    const subscriptions = filters.map(
      (filter) => ({ filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }) as const,
    );
    subscriber.send({ type: SUBSCRIBE, packetId: 1, subscriptions, properties: NO_PROPERTIES });
    expect((await subscriber.expect(SUBACK)).reasonCodes).toEqual(filters.map(() => 1));
    await evict("all objects");
    for (const index of [0, 60, 119]) {
      publisher.publish({ topic: `${topic}/${index}/x`, payload: `${index}`, qos: 1, packetId: 2 + index });
      await publisher.expect(PUBACK);
      expect(text(await subscriber.expect(PUBLISH))).toBe(`${index}`);
    }
    subscriber.send({ type: UNSUBSCRIBE, packetId: 2, filters, properties: NO_PROPERTIES });
    await subscriber.expect(UNSUBACK);
    await evict("all objects");
    publisher.publish({ topic: `${topic}/60/x`, payload: "late", qos: 1, packetId: 1 });
    await publisher.expect(PUBACK);
    await subscriber.roundTrip();
    expect(subscriber.inbox).toEqual([]);
  });

  it("more than an attachment holds come back, and QoS 2 in the middle of its exchange with them", async () => {
    const { publisherId, subscriberId, topic } = names(place);
    const subscriber = await connect(subscriberId, { way });
    const publisher = await connect(publisherId, { way });
    await subscriber.subscribe(topic, 1);
    publisher.publish({ topic, payload: "before", qos: 1, packetId: 1 });
    await publisher.expect(PUBACK);
    expect((await subscriber.expect(PUBLISH)).packetId).toBe(1);
    const long = "x".repeat(60);
    for (let index = 0; index < 300; index += 1) await subscriber.subscribe(`${topic}/${long}/${index}`, 1);
    await evict(sessionObject(subscriberId));

    for (const index of [0, 150, 299]) {
      publisher.publish({ topic: `${topic}/${long}/${index}`, payload: `${index}`, qos: 1, packetId: 2 + index });
      await publisher.expect(PUBACK);
    }
    const packets = [await subscriber.expect(PUBLISH), await subscriber.expect(PUBLISH), await subscriber.expect(PUBLISH)];
    expect(packets.map((packet) => [text(packet), packet.packetId])).toEqual([
      ["0", 2],
      ["150", 3],
      ["299", 4],
    ]);
    await subscriber.drop();
    const again = await connect(subscriberId, { way, clean: false });
    expect(again.sessionPresent).toBe(false);
  });
});

describe("retained messages", () => {
  it("[MQTT5-3.3.1-5] [MQTT5-3.3.1-6] [MQTT311-3.3.1-5] [MQTT311-3.3.1-10] are kept and removed by their topic's object", async () => {
    const { publisherId, subscriberId, topic } = names(place);
    const publisher = await connect(publisherId, { way });
    publisher.publish({ topic, payload: "kept", retain: true, qos: 1, packetId: 1 });
    await publisher.expect(PUBACK);
    await evict(topicObject(topic));
    const subscriber = await connect(subscriberId, { way });
    await subscriber.subscribe(topic, 1);
    const packet = await subscriber.expect(PUBLISH);
    expect([text(packet), packet.retain]).toEqual(["kept", true]);
    publisher.publish({ topic, payload: "", retain: true, qos: 1, packetId: 2 });
    await publisher.expect(PUBACK);
    await subscriber.expect(PUBLISH);
    await evict(topicObject(topic));
    await subscriber.subscribe(topic, 0);
    publisher.publish({ topic, payload: "live" });
    expect(await messages(subscriber, 1)).toEqual(["live"]);
  });
});

function will(topic: string, properties = {}): Will {
  return { qos: 1, retain: false, topic, payload: encoder.encode("will"), properties: { ...NO_PROPERTIES, ...properties } };
}

/** A client that watches the topic of a will; the object of the client with the will is `home`. */
async function willScene(options: Parameters<typeof connect>[1] = {}) {
  const { publisherId: clientId, subscriberId: watcherId, topic } = names(place);
  const connectAgain = () => connect(clientId, { way, will: will(topic), ...options });
  const watch = async (): Promise<WorkerdClient> => {
    const watcher = await connect(watcherId, { way });
    await watcher.subscribe(topic, 0);
    return watcher;
  };
  /** What has come to the watcher when everything on its way has arrived. */
  const seen = async (watcher: WorkerdClient): Promise<string[]> => {
    const probe = await connect(`${watcherId}-probe`, { way });
    probe.publish({ topic, payload: "probe" });
    const texts: string[] = [];
    for (let payload = ""; payload !== "probe"; texts.push(payload)) payload = text(await watcher.expect(PUBLISH));
    await probe.disconnect();
    return texts.slice(0, -1);
  };
  return { clientId, topic, home: sessionObject(clientId), client: await connectAgain(), connectAgain, watch, seen };
}

describe("wills", () => {
  it("[MQTT5-3.1.2-8] [MQTT311-3.1.2-8] is published when the socket is lost after an eviction", async () => {
    const { client, home, watch, seen } = await willScene();
    const watcher = await watch();
    await evict(home);
    await client.drop();
    expect(await messages(watcher, 1)).toEqual(["will"]);
    await evict(home);
    passTime(10 * RESTART_GRACE_MS);
    await runAlarm(home);
    expect(await seen(watcher)).toEqual([]);
  });

  it("[MQTT5-3.1.2-10] [MQTT311-3.1.2-10] is dropped by DISCONNECT after an eviction", async () => {
    const { client, home, watch, seen } = await willScene();
    const watcher = await watch();
    await evict(home);
    await client.disconnect();
    await evict(home);
    passTime(10 * RESTART_GRACE_MS);
    await runAlarm(home);
    expect(await seen(watcher)).toEqual([]);
  });

  it.each(["clean", "durable"] as const)("waits for the grace after the object lost its sockets, once, %s session", async (session) => {
    const { home, watch, seen } = await willScene(session === "durable" ? durable(4) : {});
    await evict(home, "close");
    await usage(home);
    const watcher = await watch();
    expect(await seen(watcher)).toEqual([]);
    // It hibernates during the grace, which does not begin anew for that.
    passTime(RESTART_GRACE_MS / 2);
    await evict(home);
    expect(await seen(watcher)).toEqual([]);
    await runAlarm(home);
    await evict(home);
    passTime(RESTART_GRACE_MS / 2 + SECOND);
    expect(await runAlarm(home)).toBe(true);
    expect(await messages(watcher, 1)).toEqual(["will"]);
    await evict(home);
    passTime(10 * RESTART_GRACE_MS);
    await runAlarm(home);
    expect(await seen(watcher)).toEqual([]);
  });

  it.each([
    ["clean", false],
    ["clean", true],
    ["durable", false],
    ["durable", true],
  ] as const)(
    "is not published when the client comes back within the grace, %s session, hibernation in between: %s",
    async (session, hibernates) => {
      const { home, connectAgain, watch, seen } = await willScene(session === "durable" ? durable(4) : {});
      await evict(home, "close");
      const watcher = await watch();
      await usage(home);
      if (hibernates) await evict(home);
      const again = await connectAgain();
      passTime(10 * RESTART_GRACE_MS);
      await runAlarm(home);
      expect(await seen(watcher)).toEqual([]);
      await again.drop();
      expect(await messages(watcher, 1)).toEqual(["will"]);
    },
  );

  it("[MQTT5-3.1.3-9] [5.0/3.1.3.2.2/min] its delay runs on through an eviction", async () => {
    const { publisherId: clientId, subscriberId: watcherId, topic } = names(place);
    const home = sessionObject(clientId);
    const watcher = await connect(watcherId, { way });
    await watcher.subscribe(topic, 0);
    const client = await connect(clientId, {
      way,
      version: 5,
      clean: false,
      will: will(topic, { willDelayInterval: 20 }),
      properties: { sessionExpiryInterval: 100 },
    });
    await evict(home);
    await client.drop();
    // The object has noticed.
    await expect.poll(() => alarmOf(home)).not.toBeNull();
    await evict(home);
    passTime(19 * SECOND);
    await runAlarm(home);
    await watcher.roundTrip();
    expect(watcher.inbox).toEqual([]);
    passTime(2 * SECOND);
    expect(await runAlarm(home)).toBe(true);
    expect(await messages(watcher, 1)).toEqual(["will"]);
  });
});

describe("deadlines", () => {
  it("[MQTT5-3.1.2-22] [MQTT311-3.1.2-24] Keep Alive counts from the last packet, before or after an eviction", async () => {
    const { publisherId: clientId } = names(place);
    const home = sessionObject(clientId);
    const client = await connect(clientId, { way: "handed over", keepAliveSeconds: 100 });
    passTime(40 * SECOND);
    client.send({ type: PINGREQ });
    await client.expect(PINGRESP);
    await evict(home);
    // 149 s after the ping.
    passTime(149 * SECOND);
    await runAlarm(home);
    client.send({ type: PINGREQ });
    await client.expect(PINGRESP);
    passTime(149 * SECOND);
    await evict(home);
    await runAlarm(home);
    expect(client.isClosed).toBe(false);
    passTime(60 * SECOND);
    expect(await runAlarm(home)).toBe(true);
    await client.closed;
  });

  it.runIf(ways.includes("relayed"))("a relayed connection that only pings is kept, and gets one PINGRESP for each PINGREQ", async () => {
    const { publisherId: clientId } = names(place);
    const home = sessionObject(clientId);
    const client = await connect(clientId, { way: "relayed", keepAliveSeconds: 3600 });
    for (let round = 0; round < 4; round += 1) {
      passTime(LIVENESS_MS + SECOND);
      client.send({ type: PINGREQ });
      await client.expect(PINGRESP);
      if (round % 2 === 1) await evict(home);
      await runAlarm(home);
    }
    await client.roundTrip();
    expect(client.inbox).toEqual([]);
  });

  it("[MQTT5-3.1.2-23] a session ends at its time although its object sleeps", async () => {
    const { publisherId: clientId, topic } = names(place);
    const home = sessionObject(clientId);
    const options = { way, version: 5, clean: false, properties: { sessionExpiryInterval: 60 } } as const;
    const first = await connect(clientId, options);
    await first.subscribe(topic, 1);
    await first.disconnect();
    await evict(home);
    passTime(59 * SECOND);
    const second = await connect(clientId, options);
    expect(second.sessionPresent).toBe(true);
    await second.disconnect();
    await evict(home);
    passTime(61 * SECOND);
    const third = await connect(clientId, options);
    expect(third.sessionPresent).toBe(false);
  });
});

describe("what keeps an object awake", () => {
  it("[MQTT5-3.3.4-9] messages that wait for a slow client in memory alone, until they are stored", async () => {
    const { publisherId, subscriberId, topic } = names(place);
    const home = sessionObject(subscriberId);
    const timers = new Timers();
    try {
      const subscriber = await connect(subscriberId, { way, version: 5, properties: { receiveMaximum: 1 } });
      await subscriber.subscribe(topic, 2);
      const publisher = await connect(publisherId, { way });
      for (const packetId of [1, 2, 3]) publisher.publish({ topic, payload: `${packetId}`, qos: 1, packetId });
      for (let count = 0; count < 3; count += 1) await publisher.expect(PUBACK);
      await expectWaiting(subscriber, "1", 1);
      expect(timers.delays().filter((delayMs) => delayMs === AWAKE_MS_MAX)).toHaveLength(1);
      await runInDurableObject(sessionStub(home), () => timers.fire(AWAKE_MS_MAX));
      for (const packetId of [1, 2]) {
        await evict(home);
        subscriber.acknowledge(PUBACK, packetId);
        await expectWaiting(subscriber, `${packetId + 1}`, packetId + 1);
      }
      await evict(home);
      subscriber.acknowledge(PUBACK, 3);
      publisher.publish({ topic, payload: "4", qos: 2, packetId: 4 });
      await publisher.expect(PUBREC);
      await expectWaiting(subscriber, "4", 4);
      await subscriber.roundTrip();
      expect(subscriber.inbox).toEqual([]);
      await subscriber.drop();
      const rows = (): Promise<unknown> =>
        runInDurableObject(sessionStub(home), (_object, { storage }) =>
          storage.sql.exec("SELECT number FROM session WHERE client_id = ?", subscriberId).toArray(),
        );
      await expect.poll(rows).toEqual([]);
    } finally {
      timers.restore();
    }
  });

  it("an incomplete packet, until it is whole", async () => {
    const { publisherId, subscriberId, topic } = names(place);
    const subscriber = await connect(subscriberId, { way: "handed over" });
    await subscriber.subscribe(topic, 0);
    const publisher = await connect(publisherId, { way: "handed over" });
    await publisher.roundTrip();
    const patienceMs = settings.limits.packetSecondsMax * SECOND;
    const timers = new Timers();
    try {
      const bytes = encodePacket(publishPacket({ topic, payload: "in two frames" }), 4);
      publisher.sendBytes(bytes.subarray(0, 5));
      // Another socket's trip: the first frame has arrived by then, in the compact shape at least; else the object is not the same.
      await subscriber.roundTrip();
      await expect.poll(() => timers.delays().filter((delayMs) => delayMs === patienceMs)).toHaveLength(1);
      publisher.sendBytes(bytes.subarray(5));
      expect(await messages(subscriber, 1)).toEqual(["in two frames"]);
      await publisher.roundTrip();
      expect(timers.delays().filter((delayMs) => delayMs === patienceMs)).toEqual([]);
    } finally {
      timers.restore();
    }
  });
});
