/** Whatever names, filters and reasons clients choose: an answer never fails because of what it says beside its codes. */

import { describe, expect, test } from "vitest";
import { REASONS_CHARACTERS_MAX } from "../../src/limits.ts";
import { NO_PROPERTIES, type ProtocolVersion, SUBACK, type Suback, type SubscriptionRequest } from "../../src/mqtt/packet.ts";
import { closeReason } from "../../src/session/close-code.ts";
import { type TestClient, World } from "../support/core-harness.ts";
import { ALL_RIGHTS } from "../support/rights.ts";

/** The longest string there can be, of characters that JSON writes as six. */
const WIDE = "\u0001".repeat(65_000);

const NOBODY_MAY = { ...ALL_RIGHTS, mayPublish: () => false, maySubscribe: () => false };

function subscribe(client: TestClient, filters: readonly string[]): Suback | undefined {
  const subscriptions: SubscriptionRequest[] = filters.map((filter) => ({
    filter,
    qos: 1,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
  }));
  client.take();
  client.send({ type: 8, packetId: 7, subscriptions, properties: NO_PROPERTIES });
  return client.take().find((packet) => packet.type === SUBACK);
}

/** Of many filters of one kind, and of one that is as long as can be. */
const FILTERS: readonly [name: string, filters: readonly string[]][] = [
  ["many", Array.from({ length: 3000 }, (_, index) => `site/${index}/temperature`)],
  ["many that are invalid", Array.from({ length: 3000 }, (_, index) => `site/${index}/#/x`)],
  ["many that are the same", new Array(3000).fill("site")],
  ["long", [WIDE]],
  ["long and invalid", [`${WIDE}#`, `#/${WIDE}`, `$share/${WIDE}`, `$share/+${WIDE}/x`]],
  ["of many levels", [`a${"/b".repeat(30_000)}`]],
];

describe.each(["direct", "batched"] as const)("%s", (wiring) => {
  test.each(FILTERS)("[MQTT5-3.8.4-6] filters that are refused, %s: one code each, and a reason that can be read", (_, filters) => {
    for (const authorizer of [NOBODY_MAY, undefined]) {
      const world = new World({ wiring, limits: { subscriptionsMax: 10 }, ...(authorizer && { authorizer }) });
      const client = world.connect("c");
      const suback = subscribe(client, filters);
      expect(suback?.reasonCodes).toHaveLength(filters.length);
      if (authorizer !== undefined) expect(suback!.reasonCodes.every((code) => code >= 0x80)).toBe(true);
      expect((suback!.properties.reasonString ?? "").length).toBeLessThan(REASONS_CHARACTERS_MAX + 100);
      expect(client.closed).toBeUndefined();
    }
  });

  test("the reasons that are left unsaid are counted", () => {
    const client = new World({ wiring, authorizer: NOBODY_MAY }).connect("c");
    const suback = subscribe(client, FILTERS[0]![1]);
    expect(suback!.properties.reasonString).toMatch(/site\/0\/temperature.*; and 29\d\d more$/);
    expect(subscribe(client, ["a", "b", "a"])!.properties.reasonString).toBe(
      'not authorized to subscribe to "a"; not authorized to subscribe to "b"',
    );
  });

  test.each([3, 4, 5] as const)("a topic that can't be published to ends the connection with a reason that fits, version %i", (version) => {
    const topics = [`${WIDE}#`, "a".repeat(65_535), `a${"/b".repeat(30_000)}`, "é𝄞+".repeat(60)];
    for (const topic of topics) {
      const world = new World({ wiring, limits: { topicBytesMax: 65_000 } });
      const client = world.connect("c", { version: version as ProtocolVersion });
      const other = world.connect("o");
      client.publish(topic, "x", { qos: 1 });
      expect(client.closed).toBeDefined();
      expect(other.closed).toBeUndefined();
    }
  });

  test("Response Information that is too long for its field is left out", () => {
    const world = new World({ wiring, choices: { responseInformation: "%c".repeat(400) } });
    const { connack } = world.connect("i".repeat(200), { properties: { requestResponseInformation: 1 } });
    expect(connack).toMatchObject({ reasonCode: 0 });
    expect(connack.properties.responseInformation).toBeUndefined();
  });
});

test("a close reason is cut behind a whole character", () => {
  expect(closeReason("short")).toBe("short");
  expect(closeReason("x".repeat(122).concat("é"))).toBe("x".repeat(122));
  expect(closeReason("𝄞".repeat(40))).toBe("𝄞".repeat(30));
});
