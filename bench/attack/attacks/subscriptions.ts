/** Attacks by Topic Filters: refused ones, deep ones, ones that match very much, and members of a group that do nothing. */

import { concatenate, utf8Encode } from "../../../src/mqtt/bytes.ts";
import type { SubscriptionRequest } from "../../../src/mqtt/packet.ts";
import type { Attack } from "../attack.ts";
import { publishBytes, subscribeBytes } from "../client.ts";
import type { Field } from "../field.ts";
import { INTRUDER } from "../options.ts";

const INTRUDER_LOGIN = { userName: INTRUDER.userName, password: INTRUDER.password };

function list<Item>(count: number, item: (index: number) => Item): Item[] {
  return Array.from({ length: count }, (_, index) => item(index));
}

/** Sends the same SUBSCRIBE again and again. */
function repeated(filters: readonly string[], perSecond: number, login: object = {}): Attack["run"] {
  return (field) => {
    const standing = field.stand({ clientId: field.near("subscriber"), ...login });
    const bytes = subscribeBytes(filters);
    return field.rate(perSecond, () => {
      if (standing.client?.send(bytes)) field.count += 1;
    });
  };
}

const FORBIDDEN: Attack = {
  key: "forbidden-filters",
  title: "SUBSCRIBE with 900 filters to which the user has no right, 5 a second",
  run: repeated(
    list(900, (index) => `site/${index}/`.padEnd(47, "x")),
    5,
    INTRUDER_LOGIN,
  ),
};

const TOO_MANY: Attack = {
  key: "too-many-filters",
  title: "SUBSCRIBE with 3,000 filters, more than a session may have, 2 a second",
  run: repeated(
    list(3000, (index) => `many/${index}`),
    2,
  ),
};

/** As many as a packet of 1 MiB takes. */
const WIDE: Attack = {
  key: "wide-subscribe",
  title: "SUBSCRIBE with 140,000 filters of four bytes, 2 a second",
  run: repeated(
    list(140_000, (index) => String(index).padStart(4, "0").slice(-4)),
    2,
  ),
};

/** One filter is right, so that the refusals go out with the answer of the Topic object that also answers the pair. */
const INVALID: Attack = {
  key: "invalid-filters",
  title: "SUBSCRIBE with one right filter and 1,000 invalid ones, 20 a second",
  run: (field) => repeated([field.nearTopic("right"), ...list(1000, (index) => `wrong#${index}`)], 20)(field),
};

const DEEP_LEVELS = 128;
const DEEP_EACH = 100;
/** As many as a session may have by default. */
const DEEP_SESSION = 1000;

const DEEP: Attack = {
  key: "deep-filters",
  title: "different filters of 128 levels, 500 a second in five packets, 1,000 in a session",
  run: async (field) => {
    const middle = "/x".repeat(DEEP_LEVELS - 3);
    let standing = field.stand({ clientId: field.near("deep") });
    let packets = 0;
    await field.rate(5, (index) => {
      if (packets * DEEP_EACH >= DEEP_SESSION) {
        standing = field.stand({ clientId: field.near(`deep-${index}`) });
        packets = 0;
      }
      const filters = list(DEEP_EACH, (each) => `${index}/${each}${middle}/+`);
      if (!standing.client?.send(subscribeBytes(filters, packets + 1))) return;
      packets += 1;
      field.count += 1;
    });
  },
};

const CHURN: Attack = {
  key: "subscription-churn",
  title: "ten clients that replace and add subscriptions with wildcards, 200 SUBSCRIBE a second together",
  run: (field) => {
    const standing = list(10, (index) => field.near(`churn-${index}`)).map((clientId) => field.stand({ clientId }));
    return field.rate(200, (index) => {
      const who = standing[index % standing.length]!;
      if (who.client?.send(subscribeBytes([`churn/${index % 5000}/+/#`, "churn/+/#"]))) field.count += 1;
    });
  },
};

const GROUP = "$share/group/jobs";

function member(filter: string): SubscriptionRequest {
  return { filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 };
}

const STUCK_MEMBER: Attack = {
  key: "stuck-member",
  title: "a shared subscription of two of which one acknowledges nothing, 300 messages a second at QoS 1",
  run: async (field) => {
    for (const name of ["stuck", "well"]) {
      const client = await field.need({ clientId: field.near(name) });
      client.acknowledges = name === "well";
      await client.subscribe([member(GROUP)]);
    }
    await flood(field, "jobs", 300, 100);
  },
};

/** Publishes at QoS 1 to a topic. */
function flood(field: Field, topic: string, perSecond: number, payloadBytes: number): Promise<void> {
  const publisher = field.stand({ clientId: field.near("publisher") });
  const payload = new Uint8Array(payloadBytes);
  return field.rate(perSecond, (index) => {
    const packetId = (index % 60_000) + 1;
    if (publisher.client?.send(publishBytes(topic, payload, { qos: 1, packetId }))) field.count += 1;
  });
}

const SHARES = 1000;
const SHARES_AT_ONCE = 100;
const BURST = 300;

const MANY_SHARES: Attack = {
  key: "many-shares",
  title: "one client in 1,000 shared subscriptions to one topic, 300 messages of 5 bytes to it in one frame, each second",
  run: async (field) => {
    const topic = field.nearTopic("shares");
    const client = await field.need({ clientId: field.near("sharer") });
    for (let from = 0; from < SHARES; from += SHARES_AT_ONCE)
      await client.subscribe(list(SHARES_AT_ONCE, (index) => ({ ...member(`$share/${from + index}/${topic}`), qos: 0 })));
    const frame = concatenate(list(BURST, () => "12345").map((text) => publishBytes(topic, utf8Encode(text))));
    await field.rate(1, () => {
      if (client.send(frame)) field.count += BURST;
    });
  },
};

export const SUBSCRIPTION_ATTACKS = [FORBIDDEN, INVALID, TOO_MANY, WIDE, DEEP, CHURN, STUCK_MEMBER, MANY_SHARES];
