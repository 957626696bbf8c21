/** Attacks by retained messages: few bytes that ask for very many of them, and floods of new ones. */

import { PUBACK } from "../../../src/mqtt/packet.ts";
import type { Attack } from "../attack.ts";
import { type Client, publishBytes, subscribeBytes } from "../client.ts";
import type { Field } from "../field.ts";

/** Publishes retained messages at QoS 1, some at once, and waits until all are acknowledged. Empty payloads take them away again. */
async function retain(field: Field, count: number, topic: (index: number) => string, payload: Uint8Array): Promise<void> {
  const client = await field.need({ clientId: field.near("librarian") });
  const together = Math.max(1, Math.min(200, Math.floor(1_000_000 / (payload.length + 100))));
  for (let from = 0; from < count; from += together) {
    const until = Math.min(count, from + together);
    const acknowledged = Array.from({ length: until - from }, () => client.next(PUBACK));
    for (let index = from; index < until; index += 1) {
      client.send(publishBytes(topic(index), payload, { qos: 1, packetId: index - from + 1, retain: true }));
    }
    await Promise.all(acknowledged);
  }
  field.drop(client);
}

const NOTHING = new Uint8Array(0);
const SMALL = new Uint8Array(20);

const SCANNED = 4000;
const scannedTopic = (index: number): string => `scanned/${index}/${index}/x`;

const SCAN: Attack = {
  key: "retained-scan",
  title: "SUBSCRIBE with 60 filters `+/+/+/name` that match none of 4,000 retained messages, one a second",
  prepare: (field) => retain(field, SCANNED, scannedTopic, SMALL),
  run: (field) => {
    const standing = field.stand({ clientId: field.near("scanner") });
    return field.rate(1, (index) => {
      const filters = Array.from({ length: 60 }, (_, each) => `+/+/+/no-${index % 10}-${each}`);
      if (standing.client?.send(subscribeBytes(filters))) field.count += 1;
    });
  },
};

const READ: Attack = {
  key: "retained-again",
  title: "a client that subscribes to all of 4,000 retained messages again and again, twice a second",
  prepare: (field) => retain(field, SCANNED, scannedTopic, SMALL),
  run: (field) => {
    const standing = field.stand({ clientId: field.near("reader") });
    const bytes = subscribeBytes(["scanned/#"]);
    return field.rate(2, () => {
      if (standing.client?.send(bytes)) field.count += 1;
    });
  },
};

const UNREAD = 40;
const UNREAD_BYTES = 500_000;
const unreadTopic = (index: number): string => `unread/${index}`;

const UNREAD_RETAINED: Attack = {
  key: "retained-unread",
  title: "a client that reads nothing subscribes to 20 MB of retained messages, three times a second",
  prepare: (field) => retain(field, UNREAD, unreadTopic, new Uint8Array(UNREAD_BYTES)),
  run: (field) => {
    const standing = field.stand({ clientId: field.near("reader") }, (client) => client.stopReading());
    const bytes = subscribeBytes(["unread/#"]);
    return field.rate(3, () => {
      if (standing.client?.send(bytes)) field.count += 1;
    });
  },
};

const FLOODED = 2000;
const floodedTopic = (index: number): string => `flooded/${index}`;

const FLOOD: Attack = {
  key: "retained-flood",
  title: "small retained messages at QoS 0 to 2,000 topics, 2,000 a second in bursts of 100",
  run: (field) => {
    const standing = field.stand({ clientId: field.near("flooder") });
    return field.rate(20, (burst) => sendBurst(field, standing.client, burst));
  },
  clean: (field) => retain(field, FLOODED, floodedTopic, NOTHING),
};

function sendBurst(field: Field, client: Client | undefined, burst: number): void {
  const packets = Array.from({ length: 100 }, (_, index) =>
    publishBytes(floodedTopic((burst * 100 + index) % FLOODED), SMALL, { retain: true }),
  );
  if (client?.send(Buffer.concat(packets))) field.count += packets.length;
}

export const RETAINED_ATTACKS = [SCAN, READ, UNREAD_RETAINED, FLOOD];
