/**
 * The client of the package inside the Workers runtime: over the WebSocket that a Worker has from an upgrade, and over a WebSocketPair that
 * nobody opens.
 */

import { exports } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { type Client, connect, type Message, type SocketFactory } from "../../src/client/index.ts";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { CONNACK, NO_PROPERTIES, type Packet, PUBACK, PUBLISH } from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";

const open: Client[] = [];
const sockets: WebSocket[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.end()));
});

const env = { BROKER: { fetch: (url: string, init: RequestInit): Promise<Response> => exports.default.fetch(new Request(url, init)) } };

// In docs/client.md.
const socket = async () => {
  const headers = { Upgrade: "websocket", "Sec-WebSocket-Protocol": "mqtt" };
  const { webSocket } = await env.BROKER.fetch("https://broker/mqtt", { headers });
  return webSocket!;
};

/** A socket to the broker, each time a new one. */
const upgrade: SocketFactory = async () => {
  const opened = await socket();
  sockets.push(opened);
  return opened;
};

async function connected(clientId = `client-${crypto.randomUUID()}`): Promise<Client> {
  const client = await connect(upgrade, { clientId, reconnect: { minMs: 1, maxMs: 1 } });
  open.push(client);
  return client;
}

describe("in a Worker", () => {
  it("publishes, subscribes, requests and responds at every QoS", async () => {
    const topic = crypto.randomUUID();
    const [client, other] = [await connected(), await connected()];
    const subscription = await client.subscribe(`${topic}/#`, { qos: 2 });
    for (const qos of [0, 1, 2] as const) await other.publish(`${topic}/${qos}`, `at ${qos}`, { qos });
    const texts: string[] = [];
    for await (const message of subscription) {
      texts.push(`${message.text()} ${message.qos}`);
      if (texts.length === 3) break;
    }
    expect(texts.sort()).toEqual(["at 0 0", "at 1 1", "at 2 2"]);
    await other.subscribe(`${topic}/ask`, { qos: 1, onMessage: (request) => other.respond(request, request.text().toUpperCase()) });
    expect((await client.request(`${topic}/ask`, "loud")).text()).toBe("LOUD");
  });

  it("comes back with all its subscriptions when the socket is closed under it", async () => {
    const topic = crypto.randomUUID();
    const client = await connected();
    const messages: Message[] = [];
    let arrived = (): void => {};
    const onMessage = (message: Message): void => {
      messages.push(message);
      arrived();
    };
    await client.subscribe(topic, { qos: 1, onMessage });
    const back = new Promise<void>((resolve) => client.on("connected", () => resolve()));
    sockets.at(-1)!.close(3000, "gone");
    const done = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    await client.publish(topic, "after the loss", { qos: 2 });
    await Promise.all([back, done]);
    expect(messages.map((message) => message.text())).toEqual(["after the loss"]);
  });
});

it("speaks over one end of a WebSocketPair", async () => {
  const { 0: here, 1: there } = new WebSocketPair();
  const stream = new PacketStream(Number.POSITIVE_INFINITY);
  const came: Packet[] = [];
  const answer = (packet: Packet): void => there.send(encodePacket(packet, 5));
  there.binaryType = "arraybuffer";
  there.accept();
  there.addEventListener("message", ({ data }) => {
    stream.push(new Uint8Array(data as ArrayBuffer));
    for (let bytes = stream.next(); bytes instanceof Uint8Array; bytes = stream.next()) {
      const packet = decodePacket(bytes, 5) as Packet;
      came.push(packet);
      if (came.length === 1) answer({ type: CONNACK, sessionPresent: false, reasonCode: 0, properties: NO_PROPERTIES });
      if (packet.type === PUBLISH) answer({ type: PUBACK, packetId: packet.packetId, reasonCode: 0x10, properties: NO_PROPERTIES });
    }
  });
  there.addEventListener("close", () => there.close(1000));
  const client = await connect(here);
  expect(await client.publish("a", "x", { qos: 1 })).toMatchObject({ reasonCode: 0x10 });
  await client.end();
  expect(came.map(({ type }) => type)).toEqual([1, 3, 14]);
});
