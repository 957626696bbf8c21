/**
 * What every client may expect of the broker, in its own library's words, on the sharded and on the compact topology. Tests keep to
 * topics and Client Identifiers of their own. That nothing came is shown by a message behind it, on the same topic and at the same
 * QoS, which order forbids to overtake.
 */

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { hashPassword } from "../../src/auth/password.ts";
import { type Gateway, startGateway } from "../../src/gateway/gateway.ts";
import type { QoS } from "../../src/mqtt/packet.ts";
import { describeTopologies } from "../support/brokers.ts";
import { unique } from "../support/mqtt-client.ts";
import { type RealClient, type RealClientKind, type RealConnectOptions, type Received, Refused, within } from "../support/real-clients.ts";

const QUALITIES: readonly QoS[] = [0, 1, 2];

/** More than are in flight to one client at once. */
const QUEUED = 100;

/** MQTT.js keeps to no Receive Maximum: in 5.0 a burst has to stay below the broker's (256). 3.x knows no such thing. */
const BURST = { 3: 500, 4: 500, 5: 250 };

/** Ada may use topics below `open`; who gives no user name is anonymous and may do everything. */
const USERS = JSON.stringify([
  { user: "ada", password: await hashPassword(new TextEncoder().encode("lovelace"), 1000), publish: ["open/#"], subscribe: ["open/#"] },
]);

const textsOf = (messages: readonly Received[]): string[] => messages.map(({ text }) => text);

/** What a CONNACK says of a session that is there: MQTT 3.1 has no Session Present. */
const present = ({ version }: RealClientKind): boolean => version !== 3;

/** Runs every test with one client library in one version. */
export function describeClient(kind: RealClientKind): void {
  describe(kind.name, () => {
    describeTopologies(
      (broker) => {
        let gateway: Gateway | undefined;
        let url: string;
        beforeAll(async () => {
          url = broker.mqttUrl;
          if (!kind.overTcp) return;
          const before = { url, handsOver: true, isSigned: false, headersOf: () => ({}) };
          gateway = await startGateway({ listeners: [{ host: "127.0.0.1", port: 0 }], broker: before, log: () => {} });
          url = `mqtt://127.0.0.1:${gateway.ports[0]}`;
        });
        afterAll(() => gateway?.close());

        let clients: RealClient[] = [];
        afterEach(async () => {
          const open = clients;
          clients = [];
          await Promise.all(open.map((client) => client.disconnect().catch(() => {})));
        });
        const connect = async (options: RealConnectOptions = {}): Promise<RealClient> => {
          const client = await kind.connect(url, options);
          clients.push(client);
          return client;
        };
        const leave = async (client: RealClient): Promise<void> => {
          clients = clients.filter((other) => other !== client);
          await client.disconnect();
        };
        const cut = async (client: RealClient): Promise<void> => {
          clients = clients.filter((other) => other !== client);
          await client.cut();
        };

        it("connects without a session of before, and with the right password", async () => {
          expect((await connect()).sessionPresent).toBe(false);
          expect((await connect({ userName: "ada", password: "lovelace" })).sessionPresent).toBe(false);
        });

        it("is refused with a wrong password and as an unknown user", async () => {
          const badUserNameOrPassword = kind.version === 5 ? 0x86 : 4;
          const wrong = kind.connect(url, { userName: "ada", password: "wrong" });
          await expect(wrong).rejects.toEqual(new Refused(badUserNameOrPassword));
          const unknown = kind.connect(url, { userName: "bob", password: "lovelace" });
          await expect(unknown).rejects.toEqual(new Refused(badUserNameOrPassword));
        });

        it("may subscribe only to what its user may read", async () => {
          const topic = unique();
          const publisher = await connect();
          const ada = await connect({ userName: "ada", password: "lovelace" });
          // MQTT 3.1 has no code for a refusal: it is granted in words only.
          const refusal = { 3: 1, 4: 0x80, 5: 0x87 }[kind.version];
          expect(await ada.subscribe(`closed/${topic}`, 1)).toBe(refusal);
          expect(await ada.subscribe(`open/${topic}`, 1)).toBe(1);
          // Acknowledged means that whoever wants it has it.
          await publisher.publish(`closed/${topic}`, "secret", 1);
          await publisher.publish(`open/${topic}`, "for everybody", 1);
          expect((await ada.inbox.next()).text).toBe("for everybody");
        });

        it("may publish only what its user may write", async () => {
          const topic = unique();
          const reader = await connect();
          const ada = await connect({ userName: "ada", password: "lovelace" });
          await reader.subscribe(`+/${topic}`, 1);
          const forbidden = ada.publish(`closed/${topic}`, "forbidden", 1);
          // 3.x has no refusal either: acknowledged, not forwarded.
          if (kind.version === 5) await expect(forbidden).rejects.toMatchObject({ code: 0x87 });
          else await forbidden;
          await ada.publish(`open/${topic}`, "allowed", 1);
          expect((await reader.inbox.next()).text).toBe("allowed");
        });

        it("receives what its wildcards match, once, and nothing else", async () => {
          const home = unique();
          const [oneLevel, allLevels, both, publisher] = await Promise.all([connect(), connect(), connect(), connect()]);
          await oneLevel.subscribe(`${home}/+/temperature`, 1);
          await allLevels.subscribe(`${home}/#`, 1);
          await both.subscribe(`${home}/kitchen/#`, 1);
          await both.subscribe(`${home}/+/temperature`, 1);
          const topics = ["", "/kitchen", "/kitchen/temperature", "/kitchen/temperature/celsius", "/cellar/temperature", "/cellar/light"];
          for (const topic of topics) await publisher.publish(`${home}${topic}`, topic, 1);
          await publisher.publish(`${home}s/kitchen/temperature`, "of another home", 1);
          await publisher.publish(`${home}/end/temperature`, "end", 1);
          expect(textsOf(await oneLevel.inbox.until("end"))).toEqual(["/kitchen/temperature", "/cellar/temperature"]);
          expect(textsOf(await allLevels.inbox.until("end"))).toEqual(topics);
          expect(textsOf(await both.inbox.until("end"))).toEqual([
            "/kitchen",
            "/kitchen/temperature",
            "/kitchen/temperature/celsius",
            "/cellar/temperature",
          ]);
        });

        it("receives nothing more once it has unsubscribed", async () => {
          const [leaving, staying] = [unique(), unique()];
          const subscriber = await connect();
          const publisher = await connect();
          await subscriber.subscribe(leaving, 1);
          await subscriber.subscribe(staying, 1);
          await publisher.publish(leaving, "before", 1);
          expect((await subscriber.inbox.next()).text).toBe("before");
          await subscriber.unsubscribe(leaving);
          await publisher.publish(leaving, "after", 1);
          await publisher.publish(staying, "end", 1);
          expect(await subscriber.inbox.until("end")).toEqual([]);
        });

        it("publishes and receives at every QoS, the lower one of both sides", async () => {
          const topic = unique();
          const subscriber = await connect();
          const publisher = await connect();
          for (const granted of QUALITIES) expect(await subscriber.subscribe(`${topic}/${granted}`, granted)).toBe(granted);
          for (const granted of QUALITIES) {
            for (const sent of QUALITIES) {
              await publisher.publish(`${topic}/${granted}`, `sent at ${sent}, granted ${granted}`, sent);
              const message = await subscriber.inbox.next();
              expect(message).toMatchObject({ text: `sent at ${sent}, granted ${granted}`, qos: Math.min(sent, granted), retain: false });
            }
          }
        });

        it.each(QUALITIES)("receives a burst of QoS %i in order and once", async (qos) => {
          const topic = unique();
          const subscriber = await connect();
          const publisher = await connect();
          await subscriber.subscribe(topic, qos);
          const texts = Array.from({ length: BURST[kind.version] }, (_, index) => String(index));
          await Promise.all(texts.map((text) => publisher.publish(topic, text, qos)));
          await publisher.publish(topic, "end", qos);
          expect(textsOf(await subscriber.inbox.until("end"))).toEqual(texts);
        });

        it("sees retained messages with their flag until they are cleared", async () => {
          const topic = unique();
          const publisher = await connect();
          const early = await connect();
          await early.subscribe(topic, 1);
          await publisher.publish(topic, "first", 1, true);
          await publisher.publish(topic, "second", 1, true);
          // Live messages carry no flag.
          expect(await early.inbox.take(2)).toMatchObject([
            { text: "first", retain: false },
            { text: "second", retain: false },
          ]);
          const late = await connect();
          await late.subscribe(`${topic}/#`, 1);
          expect(await late.inbox.next()).toMatchObject({ text: "second", retain: true, qos: 1 });
          await publisher.publish(topic, "", 1, true);
          expect(await late.inbox.next()).toMatchObject({ text: "", retain: false });

          const after = await connect();
          await after.subscribe(topic, 1);
          await publisher.publish(topic, "end", 1);
          expect(await after.inbox.until("end")).toEqual([]);
        });

        it("leaves its will when its socket is lost, and none when it says goodbye", async () => {
          const topic = unique();
          const watcher = await connect();
          await watcher.subscribe(topic, 2);
          await leave(await connect({ will: { topic, payload: "said goodbye", qos: 1 } }));
          await cut(await connect({ will: { topic, payload: "was lost", qos: 1, retain: true } }));
          expect(await watcher.inbox.next()).toMatchObject({ topic, text: "was lost", qos: 1, retain: false });
          const late = await connect();
          await late.subscribe(topic, 1);
          expect(await late.inbox.next()).toMatchObject({ text: "was lost", qos: 1, retain: true });
        });

        it("finds its session again, with every message that was queued for it, in order and once", async () => {
          const topic = unique();
          const clientId = unique("c");
          const publisher = await connect();
          const before = await connect({ clientId, clean: false });
          expect(before.sessionPresent).toBe(false);
          await before.subscribe(`${topic}/+`, 2);
          await leave(before);
          await publisher.publish(`${topic}/1`, "not kept: QoS 0", 0);
          const texts = Array.from({ length: QUEUED }, (_, index) => String(index));
          await Promise.all(texts.flatMap((text) => [publisher.publish(`${topic}/1`, text, 1), publisher.publish(`${topic}/2`, text, 2)]));

          const after = await connect({ clientId, clean: false });
          expect(after.sessionPresent).toBe(present(kind));
          const queued = await after.inbox.take(2 * QUEUED);
          expect(textsOf(queued.filter(({ qos }) => qos === 1))).toEqual(texts);
          expect(textsOf(queued.filter(({ qos }) => qos === 2))).toEqual(texts);
          await publisher.publish(`${topic}/1`, "end of QoS 1", 1);
          await publisher.publish(`${topic}/2`, "end of QoS 2", 2);
          expect(textsOf(await after.inbox.take(2)).sort()).toEqual(["end of QoS 1", "end of QoS 2"]);
          await leave(after);

          // Nothing of it is left over, and a clean start ends the session.
          const again = await connect({ clientId, clean: false });
          expect(again.sessionPresent).toBe(present(kind));
          await publisher.publish(`${topic}/1`, "end", 1);
          expect(await again.inbox.until("end")).toEqual([]);
          await leave(again);
          expect((await connect({ clientId, clean: true })).sessionPresent).toBe(false);
        });

        it("finds what came after its socket was lost", async () => {
          const topic = unique();
          const clientId = unique("c");
          const publisher = await connect();
          const before = await connect({ clientId, clean: false });
          await before.subscribe(topic, 2);
          await publisher.publish(topic, "live", 2);
          expect((await before.inbox.next()).text).toBe("live");
          await cut(before);
          await publisher.publish(topic, "missed", 2);
          const after = await connect({ clientId, clean: false });
          expect(after.sessionPresent).toBe(present(kind));
          await publisher.publish(topic, "end", 2);
          expect(textsOf(await after.inbox.until("end")).filter((text) => text !== "live")).toEqual(["missed"]);
        });

        it("takes its Client Identifier over from an older connection, which is closed", async () => {
          const topic = unique();
          const clientId = unique("c");
          const publisher = await connect();
          const older = await connect({ clientId, clean: false });
          await older.subscribe(topic, 1);
          const newer = await connect({ clientId, clean: false });
          expect(newer.sessionPresent).toBe(present(kind));
          expect(await within(older.closed, "the end of the older connection")).toBe(kind.version === 5 ? 0x8e : undefined);
          await publisher.publish(topic, "for the newer one", 1);
          expect((await newer.inbox.next()).text).toBe("for the newer one");
          expect(older.inbox.length).toBe(0);
        });

        it.each(QUALITIES)("carries empty, binary and large payloads unchanged at QoS %i", async (qos) => {
          const topic = unique();
          const subscriber = await connect();
          const publisher = await connect();
          await subscriber.subscribe(topic, qos);
          const everyByte = Uint8Array.from({ length: 256 }, (_, index) => index);
          const large = Uint8Array.from({ length: 200 * 1024 }, (_, index) => (index * 31 + (index >> 8)) & 0xff);
          for (const payload of [new Uint8Array(0), everyByte, large]) {
            await publisher.publish(topic, payload, qos);
            const message = await subscriber.inbox.next();
            expect(Buffer.compare(message.payload, payload)).toBe(0);
          }
        });
      },
      { USERS },
    );
  });
}
