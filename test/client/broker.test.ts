/** The client against the broker, on every shape of it and in every version of MQTT: what its users do with it. */

import { afterEach, describe, expect, it } from "vitest";
import { type Client, type ConnectOptions, connect, type Message, MqttError } from "../../src/client/index.ts";
import type { ProtocolVersion, QoS } from "../../src/mqtt/packet.ts";
import { describeTopologies, type TestBroker } from "../support/brokers.ts";
import { unique } from "../support/mqtt-client.ts";
import { Inbox } from "./support.ts";

const VERSIONS: readonly ProtocolVersion[] = [3, 4, 5];
const QUALITIES: readonly QoS[] = [0, 1, 2];

const open = new Set<Client>();

afterEach(async () => {
  await Promise.all([...open].map((client) => client.end({ timeoutMs: 0 })));
  open.clear();
});

async function connected(broker: TestBroker, options: ConnectOptions = {}): Promise<Client> {
  const clientId = options.clientId ?? unique("c");
  const query = broker.shape === "handed over" ? `?clientId=${clientId}` : "";
  const client = await connect(broker.mqttUrl + query, { clientId, ...options });
  open.add(client);
  return client;
}

describeTopologies(
  (broker) => {
    describe.each(VERSIONS)("protocol version %s", (version) => {
      it("publishes and receives at every QoS, whichever was granted", async () => {
        const topic = unique();
        const inbox = new Inbox();
        const subscriber = await connected(broker, { version });
        const publisher = await connected(broker, { version });
        for (const granted of QUALITIES) {
          const subscription = await subscriber.subscribe(`${topic}/${granted}/#`, { qos: granted, onMessage: inbox.put });
          expect(subscription.granted).toEqual([{ filter: `${topic}/${granted}/#`, qos: granted }]);
          for (const qos of QUALITIES) {
            const { reasonCode } = await publisher.publish(`${topic}/${granted}/${qos}`, `${qos} to ${granted}`, { qos });
            expect(reasonCode).toBe(0);
            const message = await inbox.next();
            expect([message.text(), message.qos, message.topic]).toEqual([
              `${qos} to ${granted}`,
              Math.min(qos, granted),
              `${topic}/${granted}/${qos}`,
            ]);
          }
        }
      });

      it("iterates, and acknowledges what was iterated", async () => {
        const topic = unique();
        const client = await connected(broker, { version });
        const subscription = await client.subscribe([`${topic}/a`, `${topic}/b`], { qos: 1 });
        const texts = Array.from({ length: 300 }, (_, index) => String(index));
        const published = Promise.all(texts.map((text, index) => client.publish(`${topic}/${index % 2 ? "a" : "b"}`, text, { qos: 1 })));
        const found: string[] = [];
        for await (const message of subscription) {
          found.push(message.text());
          if (found.length === texts.length) break;
        }
        await published;
        // Topics may live in different objects: their order is that of each.
        const odd = (text: string): boolean => Number(text) % 2 === 1;
        expect([found.filter(odd), found.filter((text) => !odd(text))]).toEqual([texts.filter(odd), texts.filter((text) => !odd(text))]);
        // Leaving the loop has ended it.
        await client.publish(`${topic}/a`, "nobody", { qos: 1 });
        expect(await subscription[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined });
      });

      it("resumes its session with what came meanwhile, before it has subscribed to anything", async () => {
        const topic = unique();
        const options = { version, clientId: unique("c"), clean: false };
        const before = await connected(broker, options);
        // 3.1 has no Session Present: what was asked for is taken to be there.
        expect(before.server.sessionPresent).toBe(version === 3);
        await before.subscribe(topic, { qos: 2 });
        await before.end();
        const publisher = await connected(broker, { version });
        for (const qos of QUALITIES) await publisher.publish(topic, `${qos}`, { qos });
        const after = await connected(broker, options);
        expect(after.server.sessionPresent).toBe(true);
        const inbox = new Inbox();
        const again = await connected(broker, { ...options, onMessage: inbox.put });
        await publisher.publish(topic, "end", { qos: 2 });
        const texts = await inbox.texts(3);
        expect(texts).toEqual(["1", "2", "end"]);
        expect(again.isConnected).toBe(true);
      });

      it("leaves a will when it is lost and none when it ends", async () => {
        const topic = unique();
        const inbox = new Inbox();
        const watcher = await connected(broker, { version });
        await watcher.subscribe(`${topic}/+`, { qos: 1, onMessage: inbox.put });
        const clientId = unique("c");
        const will = { topic: `${topic}/lost`, payload: "lost", qos: 1, retain: true } as const;
        await connected(broker, { version, clientId, will });
        // Taken over: lost.
        const other = await connected(broker, { version, clientId, will: { topic: `${topic}/other`, payload: "other" } });
        expect((await inbox.next()).text()).toBe("lost");
        await other.end();
        await watcher.publish(`${topic}/end`, "end");
        expect((await inbox.next()).text()).toBe("end");
      });
    });

    it("requests and responds", async () => {
      const topic = unique();
      const responder = await connected(broker);
      await responder.subscribe(`${topic}/+`, { qos: 1, onMessage: (request) => responder.respond(request, `re: ${request.text()}`) });
      const client = await connected(broker);
      const responses = await Promise.all(["a", "b", "c"].map((name) => client.request(`${topic}/${name}`, name, { timeoutMs: 5000 })));
      expect(responses.map((response) => response.text())).toEqual(["re: a", "re: b", "re: c"]);
      const nobody = client.request(unique(), "x");
      await expect(nobody).rejects.toMatchObject({
        kind: "refused",
        reasonCode: 0x10,
        message: expect.stringContaining("nobody is subscribed"),
      });
      const silent = unique();
      await responder.subscribe(silent);
      await expect(client.request(silent, "x", { timeoutMs: 20 })).rejects.toMatchObject({ kind: "timeout" });
    });

    it("gives each subscription what it asked for, once, however filters overlap", async () => {
      const topic = unique();
      const client = await connected(broker);
      const inboxes = { all: new Inbox(), one: new Inbox(), twice: new Inbox(), shared: new Inbox() };
      await client.subscribe(`${topic}/#`, { qos: 1, onMessage: inboxes.all.put });
      await client.subscribe(`${topic}/a`, { qos: 1, onMessage: inboxes.one.put });
      const twice = await client.subscribe(`${topic}/a`, { qos: 1, onMessage: inboxes.twice.put });
      await client.subscribe(`$share/g/${topic}/a`, { qos: 1, onMessage: inboxes.shared.put });
      await client.publish(`${topic}/a`, "1", { qos: 1 });
      await twice.end();
      await client.publish(`${topic}/a`, "2", { qos: 1 });
      await client.publish(`${topic}/b`, "3", { qos: 1 });
      expect(await inboxes.all.texts(3)).toEqual(["1", "2", "3"]);
      expect(await inboxes.one.texts(2)).toEqual(["1", "2"]);
      expect(await inboxes.shared.texts(2)).toEqual(["1", "2"]);
      expect(inboxes.twice.all.map((message) => message.text())).toEqual(["1"]);
    });

    it("passes properties on as they are", async () => {
      const topic = unique();
      const inbox = new Inbox();
      const client = await connected(broker);
      await client.subscribe(topic, { onMessage: inbox.put });
      const properties = {
        payloadFormatIndicator: 1,
        contentType: "application/json",
        responseTopic: "r",
        correlationData: Uint8Array.of(0, 255),
        userProperties: [
          ["a", "1"],
          ["a", "2"],
        ],
      } as const;
      for (let count = 0; count < 4; count += 1) {
        await client.publish(topic, '{"a":1}', properties);
        const message = await inbox.next();
        expect(message.properties).toEqual(properties);
        expect(message.json()).toEqual({ a: 1 });
      }
    });

    it("keeps retained messages, and what a subscription wants of them", async () => {
      const topic = unique();
      const inbox = new Inbox();
      const client = await connected(broker);
      await client.publish(topic, "kept", { qos: 1, retain: true });
      await client.subscribe(topic, { onMessage: inbox.put, retainHandling: 2 });
      await client.subscribe(`${topic}/#`, { onMessage: inbox.put, retainAsPublished: true });
      expect(await inbox.next()).toMatchObject({ retain: true });
      await client.publish(topic, "live", { qos: 1, retain: true });
      expect((await inbox.next()).text()).toBe("live");
    });

    it("names the filter and the reason when a subscription is refused, and subscribes to none then", async () => {
      const topic = unique();
      const client = await connected(broker);
      const wrong: [string, string][] = [
        ["a/#/b", "# alone in the last"],
        ["a+", "+ alone"],
        ["", "Filter"],
        ["$share//a", "NAME"],
      ];
      for (const [filter, words] of wrong) {
        const error = await client.subscribe([topic, filter]).catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(MqttError);
        expect(error).toMatchObject({ kind: "invalid", filter, reasonCode: 0x8f, message: expect.stringContaining(words) });
      }
      // Nobody has it: the broker says so.
      expect(await client.publish(topic, "x", { qos: 1 })).toMatchObject({ reasonCode: 0x10 });
      await expect(client.publish("a/+", "x")).rejects.toMatchObject({ kind: "invalid", reasonCode: 0x90 });
    });

    it("keeps to the name that the server chose", async () => {
      const client = await connect(broker.mqttUrl, { clientId: "" });
      open.add(client);
      expect(client.clientId).not.toBe("");
      expect(client.server.properties.assignedClientIdentifier).toBe(client.clientId);
    });

    it("leaves no session behind, unless it was to be kept", async () => {
      const clientId = unique("c");
      await (await connected(broker, { clientId })).end();
      const kept = await connected(broker, { clientId, clean: false });
      expect(kept.server.sessionPresent).toBe(false);
      await kept.end();
      const resumed = await connected(broker, { clientId, clean: false });
      expect(resumed.server.sessionPresent).toBe(true);
      await resumed.end({ sessionExpirySeconds: 0 });
      expect((await connected(broker, { clientId, clean: false })).server.sessionPresent).toBe(false);
    });

    it("is told when another takes over its name, and does not come back", async () => {
      const clientId = unique("c");
      const client = await connected(broker, { clientId });
      const closed = new Promise<MqttError | undefined>((resolve) => client.on("closed", resolve));
      await connected(broker, { clientId });
      expect(await closed).toMatchObject({
        kind: "disconnected",
        reasonCode: 0x8e,
        message: expect.stringContaining("session taken over"),
      });
      await expect(client.publish("a")).rejects.toMatchObject({ reasonCode: 0x8e });
    });

    it("holds back what the handler has not done with, and loses none of it", async () => {
      const topic = unique();
      const client = await connected(broker, { receiveMaximum: 3 });
      const publisher = await connected(broker);
      const begun: Message[] = [];
      const steps: (() => void)[] = [];
      const onMessage = (message: Message): Promise<void> => {
        begun.push(message);
        return new Promise((resolve) => steps.push(resolve));
      };
      await client.subscribe(topic, { qos: 2, onMessage });
      const texts = Array.from({ length: 20 }, (_, index) => String(index));
      for (const [index, text] of texts.entries()) await publisher.publish(topic, text, { qos: index % 2 === 0 ? 1 : 2 });
      for (const index of texts.keys()) {
        await expect.poll(() => steps.length).toBe(index + 1);
        steps[index]!();
      }
      expect(begun.map((message) => message.text())).toEqual(texts);
    });
  },
  {},
  { shapes: ["compact", "sharded", "handed over"] },
);
