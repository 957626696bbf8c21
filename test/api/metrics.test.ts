/** `/metrics` of real brokers: who may read it, its form, and numbers that move as clients do. */

import { describe, expect, it } from "vitest";
import { METRICS } from "../../src/api/metrics.ts";
import { describeTopologies, type TestBroker } from "../support/brokers.ts";
import { type Exposition, readExposition } from "../support/exposition.ts";
import { unique } from "../support/mqtt-client.ts";

const TOKEN = "a-token-of-the-tests";

function get(broker: TestBroker, query = "", authorization: string | undefined = `Bearer ${TOKEN}`): Promise<Response> {
  return fetch(`${broker.url}/metrics${query}`, { headers: authorization === undefined ? {} : { Authorization: authorization } });
}

async function read(broker: TestBroker, namespace?: string): Promise<Exposition> {
  const response = await get(broker, namespace === undefined ? "" : `?namespace=${namespace}`);
  expect([response.status, response.headers.get("Content-Type")]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
  return readExposition(await response.text());
}

/** Of all objects, by metric and, where there is one, reason. */
function sums({ samples }: Exposition): Record<string, number> {
  const result: Record<string, number> = {};
  for (const { metric, labels, value } of samples) {
    const key = [metric.replace("durable_mqtt_", ""), labels.reason].filter((part) => part !== undefined).join(" ");
    result[key] = (result[key] ?? 0) + value;
  }
  return result;
}

describeTopologies(
  (broker) => {
    it("needs the token: without it, or with another one, it tells how to ask and nothing else", async () => {
      for (const authorization of ["", TOKEN, `Basic ${TOKEN}`, `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, "Bearer"]) {
        const response = await get(broker, "", authorization);
        expect([authorization, response.status]).toEqual([authorization, 401]);
        expect(response.headers.get("WWW-Authenticate")).toBe('Bearer realm="metrics"');
        expect(await response.text()).not.toMatch(/durable_mqtt/);
      }
      expect((await get(broker, "", `bearer ${TOKEN}`)).status).toBe(200);
    });

    it("has every metric, in order, and every object of the namespace", async () => {
      const { families, samples } = await read(broker, unique("n"));
      expect(families).toEqual(METRICS.map(({ name, type, help }) => ({ name, type, help })));
      const objects = samples.filter(({ metric }) => metric === "durable_mqtt_object_up");
      const shards = ["0", "1", "2", "3"];
      expect(objects.map(({ labels, value }) => [labels.object, value])).toEqual(
        (broker.shape === "compact" ? ["broker"] : [...shards.map((n) => `session/${n}`), ...shards.map((n) => `topic/${n}`)]).map(
          (object) => [object, 1],
        ),
      );
    });

    it("tells of `default` when every namespace is served, and of none that can't be", async () => {
      const { samples } = await read(broker);
      expect(new Set(samples.map(({ labels }) => labels.namespace))).toEqual(new Set(["default"]));
      expect((await get(broker, "?namespace=a%20b")).status).toBe(404);
    });

    it("moves with connections, subscriptions and messages", async () => {
      const namespace = unique("n");
      expect(sums(await read(broker, namespace))).toMatchObject({
        connections: 0,
        sessions: 0,
        subscriptions: 0,
        messages_received_total: 0,
      });
      const reader = await broker.connect({
        namespace,
        version: 5,
        autoAck: false,
        properties: { sessionExpiryInterval: 300, receiveMaximum: 2, maximumPacketSize: 100 },
      });
      const writer = await broker.connect({ namespace, version: 5 });
      await reader.subscribe(
        ["t/+", "u"].map((filter) => ({ filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 })),
      );
      for (const text of ["1", "2", "3", "4", "5"]) await writer.publish("t/a", text, { qos: 1 });
      await writer.publish("t/a", "x".repeat(200));
      await writer.publish("t/a", "late", { properties: { messageExpiryInterval: 0 } });
      await writer.publish("u", "kept", { qos: 1, retain: true });
      await writer.publish("nobody", "", { qos: 1 });
      await reader.messages(2);
      const figures = sums(await read(broker, namespace));
      expect(figures).toMatchObject({
        connections: 2,
        sessions: 2,
        subscriptions: 2,
        messages_received_total: 9,
        messages_delivered_total: 2,
        "messages_dropped_total too_large": 1,
        "messages_dropped_total queue_full": 1,
        "messages_dropped_total expired": 1,
        queued_messages: 3,
        inflight_messages: 2,
        retained_messages: 1,
      });
      expect(figures.queued_bytes).toBeGreaterThan(0);
      expect(figures.rows_written_total).toBeGreaterThan(0);
      expect(figures.requests_total).toBe(2);
      expect(figures.socket_messages_total).toBeGreaterThan(0);
      if (broker.shape === "compact") expect(figures.outbox_bytes).toBeUndefined();
      else {
        expect(figures).toMatchObject({ outbox_bytes: 0, calls_repeated_total: 0, calls_given_up_total: 0 });
        // `t/+` is in each of four Topic objects.
        expect(figures).toMatchObject({ routes: 5, messages_routed_total: 9 });
        expect(figures.messages_handed_over_total).toBeLessThanOrEqual(8);
      }

      await reader.close();
      await writer.disconnect();
      await expect.poll(async () => sums(await read(broker, namespace)).connections).toBe(0);
      expect(sums(await read(broker, namespace))).toMatchObject({ sessions: 1, subscriptions: 2, queued_messages: 3 });
    });

    it("counts each scrape as a call of each object, because it is billed as one", async () => {
      const namespace = unique("n");
      const first = sums(await read(broker, namespace)).calls_total!;
      const objects = broker.shape === "compact" ? 1 : 8;
      expect([first, sums(await read(broker, namespace)).calls_total]).toEqual([objects, objects * 2]);
    });
  },
  { METRICS_TOKEN: TOKEN, QUEUE_MESSAGES_MAX: "3" },
);

describe("without the secret", () => {
  describeTopologies(
    (broker) => {
      it("is closed, and says how to open it", async () => {
        for (const authorization of [`Bearer ${TOKEN}`, "Bearer ", ""]) {
          const response = await get(broker, "", authorization);
          expect(response.status).toBe(404);
          expect(await response.text()).toContain("METRICS_TOKEN");
        }
      });
    },
    {},
    { shapes: ["compact"] },
  );
});

describe("an object for each client", () => {
  describeTopologies(
    (broker) => {
      it("only Topic objects can be listed; and of the namespaces all that are configured", async () => {
        const { samples } = await read(broker);
        const up = samples.filter(({ metric }) => metric === "durable_mqtt_object_up").map(({ labels }) => labels);
        expect(up).toEqual(["one", "two"].flatMap((namespace) => ["topic/0", "topic/1"].map((object) => ({ namespace, object }))));
        expect((await get(broker, "?namespace=three")).status).toBe(404);
        const one = await read(broker, "one");
        expect(new Set(one.samples.map(({ labels }) => labels.namespace))).toEqual(new Set(["one"]));
      });
    },
    { METRICS_TOKEN: TOKEN, SESSION_SHARDS: "0", TOPIC_SHARDS: "2", NAMESPACES: "one,two" },
    { shapes: ["sharded"] },
  );
});
