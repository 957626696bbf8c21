/**
 * The connection is lost at every step: for each packet of a whole life, in both directions, that one never arrives and the socket is gone.
 * Nothing is lost at QoS 1, nothing comes twice at QoS 2, and everything keeps its order, against this broker and against aedes.
 */

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Aedes } from "aedes";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createWebSocketStream, WebSocketServer } from "ws";
import { type Client, type ConnectOptions, connect } from "../../src/client/index.ts";
import type { ProtocolVersion, QoS } from "../../src/mqtt/packet.ts";
import { describeTopologies } from "../support/brokers.ts";
import { unique } from "../support/mqtt-client.ts";
import { Cut } from "./cutting-socket.ts";

const MESSAGES = 6;

const open = new Set<Client>();

afterEach(async () => {
  await Promise.all([...open].map((client) => client.end({ timeoutMs: 0 })));
  open.clear();
});

/** Connects, however often the first connection is cut. */
async function insist(url: string, cut: Cut, options: ConnectOptions): Promise<Client> {
  for (;;) {
    try {
      const client = await connect(cut.factory(url), options);
      open.add(client);
      return client;
    } catch (error) {
      if (cut.done === 0) throw error;
    }
  }
}

/** @returns the texts that were published and those that came, by QoS, with every cut that was asked for made */
async function live(url: string, version: ProtocolVersion, cut: Cut): Promise<Record<QoS, { sent: string[]; came: string[] }>> {
  const topic = unique();
  // What is kept between connections: in 3.x only a session that was not clean.
  const client = await insist(url, cut, { version, clientId: unique("c"), clean: version === 5, reconnect: { minMs: 1, maxMs: 1 } });
  const of = { 0: { sent: [], came: [] }, 1: { sent: [], came: [] }, 2: { sent: [], came: [] } } as Record<
    QoS,
    { sent: string[]; came: string[] }
  >;
  let done = (): void => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const subscription = await client.subscribe([`${topic}/1`, `${topic}/2`], {
    qos: 2,
    onMessage: (message) => {
      of[message.qos].came.push(message.text());
      if (new Set(of[1].came).size + new Set(of[2].came).size === MESSAGES) done();
    },
  });
  const publishing: Promise<unknown>[] = [];
  for (let count = 0; count < MESSAGES; count += 1) {
    const qos = ((count % 2) + 1) as QoS;
    of[qos].sent.push(String(count));
    publishing.push(client.publish(`${topic}/${qos}`, String(count), { qos }));
  }
  await Promise.all(publishing);
  await all;
  await subscription.end();
  await client.end();
  return of;
}

type Came = Awaited<ReturnType<typeof live>>;

const firsts = (texts: readonly string[]): string[] => [...new Set(texts)];

function goesThroughEverything(urlOf: () => string, version: ProtocolVersion, check: (of: Came) => void): void {
  it("at each packet, once", async () => {
    let at = 0;
    for (let isCut = true; isCut; ) {
      at += 1;
      const cut = new Cut(at);
      const of = await live(urlOf(), version, cut);
      expect(() => check(of), `cut at packet ${at}`).not.toThrow();
      isCut = cut.done > 0;
    }
    // CONNECT, CONNACK, SUBSCRIBE, SUBACK, and all packets of the messages there and back.
    expect(at).toBeGreaterThan(40);
  }, 120_000);

  it("at each packet, and again a little later", async () => {
    for (let at = 5; at < 50; at += 3) {
      const of = await live(urlOf(), version, new Cut(at, at + 4 + (at % 7), at + 20));
      expect(() => check(of), `cut at packet ${at}`).not.toThrow();
    }
  }, 120_000);
}

describeTopologies(
  (broker) => {
    describe.each([4, 5] as const)("protocol version %s", (version) => {
      goesThroughEverything(
        () => broker.mqttUrl,
        version,
        (of) => {
          expect(of[2].came).toEqual(of[2].sent);
          expect(firsts(of[1].came)).toEqual(of[1].sent);
        },
      );
    });
  },
  {},
  { shapes: ["compact", "sharded"] },
);

describe("aedes, protocol version 4", () => {
  let server: Server;
  let aedes: Aedes;
  const taken: { readonly qos: number; readonly text: string }[] = [];
  beforeAll(async () => {
    aedes = await Aedes.createBroker();
    aedes.on("publish", ({ qos, payload, topic }, client) => {
      if (client !== null && !topic.startsWith("$SYS")) taken.push({ qos, text: payload.toString() });
    });
    server = createServer();
    new WebSocketServer({ server }).on("connection", (socket) => aedes.handle(createWebSocketStream(socket).on("error", () => {})));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterAll(async () => {
    await new Promise<void>((resolve) => aedes.close(resolve));
    server.closeAllConnections();
    server.close();
  });
  const url = (): string => `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  // After a reconnect aedes sends what waited and what comes newly at once, some of it twice under two Packet Identifiers. What is sent to
  // it, it takes as it should.
  goesThroughEverything(url, 4, (of) => {
    expect([firsts(of[1].came).sort(), firsts(of[2].came).sort()]).toEqual([of[1].sent, of[2].sent]);
    expect(taken.filter(({ qos }) => qos === 2).map(({ text }) => text)).toEqual(of[2].sent);
    expect(firsts(taken.filter(({ qos }) => qos === 1).map(({ text }) => text))).toEqual(of[1].sent);
    taken.length = 0;
  });
});
