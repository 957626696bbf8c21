/** Attacks by messages: wide Topic Aliases, floods, receivers that read nothing, sessions that are away, properties, open exchanges. */

import { DISCONNECT, NO_PROPERTIES, type Properties } from "../../../src/mqtt/packet.ts";
import type { Attack } from "../attack.ts";
import { type Client, encode, publishBytes, subscribeBytes } from "../client.ts";
import type { Field } from "../field.ts";

const WIDE = "z".repeat(65_400);
const NOTHING = new Uint8Array(0);

function sendAliases(client: Client, count: number): void {
  for (let alias = 1; alias <= count; alias += 1) {
    client.send(publishBytes(`${alias}/${WIDE}`, NOTHING, { properties: { topicAlias: alias } }));
  }
}

const WIDE_ALIASES: Attack = {
  key: "wide-aliases",
  title: "a new client each second that sets 32 Topic Aliases of 65 kB",
  run: (field) =>
    field.rate(1, async (index) => {
      const client = await field.connect({ clientId: field.near(`alias-${index}`) });
      if (client === undefined) return;
      sendAliases(client, 32);
      field.count += 1;
    }),
};

const UNDER_WIDE: Attack = {
  key: "publish-under-aliases",
  title: "100 small QoS 1 messages a second from a client that has 28 Topic Aliases of 65 kB",
  run: (field) => {
    const standing = field.stand({ clientId: field.near("alias") }, (client) => sendAliases(client, 28));
    return field.rate(100, (index) => {
      if (standing.client?.send(publishBytes("small", NOTHING, { qos: 1, packetId: (index % 4000) + 1 }))) field.count += 1;
    });
  },
};

const TINY_TOGETHER = 100;

/** Of one client, to a topic of the object that also has the pair's. */
function tinyFlood(key: string, title: string, framesPerSecond: number, together: number): Attack {
  return {
    key,
    title,
    run: (field) => {
      const standing = field.stand({ clientId: field.near("flooder") });
      const packet = publishBytes(field.nearTopic("tiny"), NOTHING);
      const frame = Buffer.concat(Array.from({ length: together }, () => packet));
      return field.rate(framesPerSecond, () => {
        if (standing.client?.send(frame)) field.count += together;
      });
    },
  };
}

const TINY_FRAMES = tinyFlood(
  "tiny-messages",
  "one client that publishes 5,000 tiny messages a second at QoS 0, each in its own frame",
  5000,
  1,
);

const TINY_BURSTS = tinyFlood(
  "tiny-bursts",
  "one client that publishes 20,000 tiny messages a second at QoS 0, a hundred in a frame",
  200,
  TINY_TOGETHER,
);

const UNREAD_LIVE: Attack = {
  key: "live-unread",
  title: "a client that pings but reads nothing, under 10 MB a second at QoS 0",
  run: async (field) => {
    const reader = field.stand({ clientId: field.near("reader"), keepAliveSeconds: 5 }, (client) => {
      client.stopReading();
      client.send(subscribeBytes(["live"]));
    });
    const publisher = field.stand({ clientId: field.near("publisher") });
    const bytes = publishBytes("live", new Uint8Array(200_000));
    await field.rate(50, (index) => {
      if (index % 50 === 0) reader.client?.send(Uint8Array.of(0xc0, 0));
      if (publisher.client?.send(bytes)) field.count += 1;
    });
  },
};

const AWAY = 20;
export const KEPT: Properties = { sessionExpiryInterval: 3600 };

const OFFLINE_QUEUES: Attack = {
  key: "offline-queues",
  title: "5 MB a second at QoS 1 for the queues of 20 sessions whose clients are away",
  prepare: async (field) => {
    for (let index = 0; index < AWAY; index += 1) {
      const client = await field.need({ clientId: `away-${index}`, properties: KEPT });
      const filter = { filter: `away/${index}`, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
      await client.subscribe([filter]);
      field.drop(client);
    }
  },
  run: (field) => {
    const publisher = field.stand({ clientId: field.near("publisher") });
    const payload = new Uint8Array(50_000);
    return field.rate(100, (index) => {
      const bytes = publishBytes(`away/${index % AWAY}`, payload, { qos: 1, packetId: (index % 4000) + 1 });
      if (publisher.client?.send(bytes)) field.count += 1;
    });
  },
  clean: (field) =>
    endSessions(
      field,
      Array.from({ length: AWAY }, (_, index) => `away-${index}`),
    ),
};

/** With a Clean Start whose session ends with its connection. */
export async function endSessions(field: Field, clientIds: readonly string[]): Promise<void> {
  for (const clientId of clientIds) {
    const client = await field.need({ clientId, clean: true });
    client.send(encode({ type: DISCONNECT, reasonCode: 0, properties: NO_PROPERTIES }));
    await client.closed;
  }
}

const PROPERTIES: Attack = {
  key: "user-properties",
  title: "messages with 20,000 empty User Properties, 10 a second at QoS 0",
  run: (field) => {
    const standing = field.stand({ clientId: field.near("publisher") });
    const userProperties = Array.from({ length: 20_000 }, (): [string, string] => ["", ""]);
    const bytes = publishBytes(field.nearTopic("properties"), NOTHING, { properties: { userProperties } });
    return field.rate(10, () => {
      if (standing.client?.send(bytes)) field.count += 1;
    });
  },
};

const OPEN_EXCHANGES: Attack = {
  key: "open-exchanges",
  title: "QoS 2 messages of 1 kB that are never released, 500 a second",
  run: (field) => {
    let packetId = 0;
    const standing = field.stand({ clientId: field.near("publisher") }, () => {
      packetId = 0;
    });
    const payload = new Uint8Array(1000);
    return field.rate(500, () => {
      packetId = (packetId % 65_535) + 1;
      if (standing.client?.send(publishBytes("exchange", payload, { qos: 2, packetId }))) field.count += 1;
    });
  },
};

export const MESSAGE_ATTACKS = [
  WIDE_ALIASES,
  UNDER_WIDE,
  TINY_FRAMES,
  TINY_BURSTS,
  UNREAD_LIVE,
  OFFLINE_QUEUES,
  PROPERTIES,
  OPEN_EXCHANGES,
];
