/**
 * One hundred clients on the sharded topology, all subscribed to wildcards and all publishing at every QoS: each gets every message
 * that its filters match and no other, once, at the lower QoS of both sides, and in order per publisher, topic and QoS.
 */

import { afterAll, beforeAll, expect, it } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import type { ProtocolVersion, QoS } from "../../src/mqtt/packet.ts";
import { mqttJs, type RealClient } from "../support/real-clients.ts";

const CLIENTS = 100;
const ROOMS = 10;
/** Messages of each client at each QoS. */
const MESSAGES = 5;
const QUALITIES: readonly QoS[] = [0, 1, 2];
/** Ends a run that hangs, and says nothing of how fast it has to be: alone it takes some seconds, beside twelve others many more. */
const RUN_MS = 180_000;

interface Member {
  readonly client: RealClient;
  readonly number: number;
  readonly filter: string;
  readonly qos: QoS;
}

/** Every tenth client hears all rooms, the others one each: all sizes of fan-out, on all shards. */
function filterOf(number: number): string {
  return number % 10 === 9 ? "house/#" : `house/${number % ROOMS}/+`;
}

/** Clients publish in another room than the one they listen to, most of them. */
const topicOf = (number: number): string => `house/${(number * 7 + 3) % ROOMS}/${number}`;

const isWanted = (filter: string, topic: string): boolean => filter === "house/#" || topic.startsWith(filter.slice(0, -1));

let broker: Broker;

beforeAll(async () => {
  broker = await startBroker({ env: { TOPOLOGY: "sharded", ALLOW_ANONYMOUS: "true" } });
});

afterAll(() => broker.dispose());

it(
  "one hundred clients get every message exactly where it should be, in order",
  async () => {
    const members: Member[] = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, number) => {
        const client = await mqttJs(((number % 3) + 3) as ProtocolVersion, false, RUN_MS).connect(broker.mqttUrl, {
          clientId: `client-${number}`,
        });
        const filter = filterOf(number);
        const qos = (number % 4 === 3 ? 2 : number % 3) as QoS;
        expect(await client.subscribe(filter, qos)).toBe(qos);
        return { client, number, filter, qos };
      }),
    );

    await Promise.all(
      members.flatMap(({ client, number }) =>
        Array.from({ length: MESSAGES }, (_, index) =>
          QUALITIES.map((qos) => client.publish(topicOf(number), `${qos} ${index}`, qos)),
        ).flat(),
      ),
    );

    await Promise.all(
      members.map(async ({ client, number, filter, qos: granted }) => {
        const expected: string[] = [];
        for (let publisher = 0; publisher < CLIENTS; publisher += 1) {
          const topic = topicOf(publisher);
          if (!isWanted(filter, topic)) continue;
          for (const qos of QUALITIES) {
            for (let index = 0; index < MESSAGES; index += 1) expected.push(`${topic} ${qos} ${index} at ${Math.min(qos, granted)}`);
          }
        }
        const received = await client.inbox.take(expected.length, RUN_MS);
        // Sorting by stream keeps the order within each stream as it came.
        const streams = received.map(({ topic, text, qos }) => ({ stream: `${topic} ${text[0]}`, line: `${topic} ${text} at ${qos}` }));
        const order = new Map<string, number>();
        for (const line of expected) order.set(line.split(" ").slice(0, 2).join(" "), order.size);
        streams.sort((a, b) => (order.get(a.stream) ?? -1) - (order.get(b.stream) ?? -1));
        expect(
          streams.map(({ line }) => line),
          `client ${number}, ${filter}`,
        ).toEqual(expected);
      }),
    );

    // Whatever was on its way to a client comes before the answer to a question of its own.
    await Promise.all(members.map(({ client }) => client.unsubscribe("nothing")));
    expect(members.filter(({ client }) => client.inbox.length > 0).map(({ number }) => number)).toEqual([]);
    await Promise.all(members.map(({ client }) => client.disconnect()));
  },
  RUN_MS,
);
