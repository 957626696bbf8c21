/** What the broker tells of itself: events and figures, as MQTT clients and HTTP hear them; who may listen, and that nobody else may tell them. */

import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { DISCONNECT } from "../../src/mqtt/packet.ts";
import { NOT_AUTHORIZED } from "../../src/mqtt/reason-code.ts";
import { describeTopologies, type TestBroker } from "../support/brokers.ts";
import { type MqttTestClient, textOf, unique } from "../support/mqtt-client.ts";

const TOKENS = { read: "a-token-to-read", publish: "a-token-to-publish", admin: "a-token-for-all" };
const sha256 = (token: string): string => createHash("sha256").update(token).digest("hex");

const ENV = {
  // Who listens has a rule; who lies has one that gives nothing.
  ACL: JSON.stringify([
    { permission: "allow", action: "subscribe", topics: ["$events/#", "$SYS/#"], clientid_re: "^watcher.*" },
    { permission: "allow", action: "publish", topics: ["$events/#"], clientid_re: "^liar.*" },
    { permission: "allow", action: "all", topics: ["#"] },
  ]),
  SYS_SECONDS: "1",
  API_TOKENS: JSON.stringify(
    Object.entries(TOKENS).map(([name, token]) => ({ name, sha256: sha256(token), scopes: [name], namespaces: "*" })),
  ),
};

type Fields = Readonly<Record<string, unknown>>;

function call(broker: TestBroker, path: string, token: string, body?: object): Promise<Response> {
  return fetch(`${broker.url}/api/v5${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { Authorization: `Bearer ${token}` },
    body: body === undefined ? null : JSON.stringify(body),
  });
}

describeTopologies((broker) => {
  /** Those of one client, as they come. */
  async function next(watcher: MqttTestClient, clientId: string): Promise<[topic: string, fields: Fields]> {
    for (;;) {
      const message = await watcher.message();
      const fields = JSON.parse(textOf(message)) as Fields;
      expect([message.retain, message.properties.payloadFormatIndicator, message.properties.contentType]).toEqual([
        false,
        1,
        "application/json",
      ]);
      if (fields.clientid === clientId) return [message.topic, fields];
    }
  }

  test("a client is told of as it comes, subscribes, unsubscribes and goes, to who has a rule for it", async () => {
    const watcher = await broker.connect({ version: 5, clientId: unique("watcher") });
    await watcher.subscribe("$events/#", { qos: 1 });
    const from = Date.now();
    const clientId = unique("c");
    const options = { version: 5, clientId, keepAliveSeconds: 60, properties: { sessionExpiryInterval: 90 } } as const;
    const client = await broker.connect({ ...options, headers: { "CF-Connecting-IP": "203.0.113.7" } });
    await client.subscribe("a/+", { qos: 2, noLocal: true, retainHandling: 1 });
    await client.unsubscribe("a/+");
    client.send({ type: DISCONNECT, reasonCode: 4, properties: { reasonString: "tired" } });
    const who = { clientid: clientId, username: null, peerhost: "203.0.113.7", timestamp: expect.any(Number) };
    const about = { proto_name: "MQTT", proto_ver: 5, keepalive: 60, clean_start: true, expiry_interval: 90, session_present: false };
    const events = [
      await next(watcher, clientId),
      await next(watcher, clientId),
      await next(watcher, clientId),
      await next(watcher, clientId),
    ];
    expect(events).toEqual([
      ["$events/client/connected", { ...who, ...about, connected_at: expect.any(Number) }],
      ["$events/session/subscribed", { ...who, topic: "a/+", qos: 2, nl: 1, rap: 0, rh: 1 }],
      ["$events/session/unsubscribed", { ...who, topic: "a/+" }],
      [
        "$events/client/disconnected",
        {
          ...who,
          reason: "disconnect_with_will_message",
          reason_code: 4,
          reason_string: "tired",
          will_published: false,
          disconnected_at: expect.any(Number),
        },
      ],
    ]);
    for (const [, { timestamp }] of events) expect(Number(timestamp)).toBeGreaterThanOrEqual(from - 1_000);
    const lost = await broker.connect({ clientId, clean: false });
    lost.terminate();
    expect([await next(watcher, clientId), await next(watcher, clientId)]).toMatchObject([
      [expect.anything(), { proto_ver: 4, clean_start: false, session_present: true, expiry_interval: 86_400 }],
      [expect.anything(), { reason: "socket_closed", reason_code: null }],
    ]);
  });

  test("a message that is dropped is told of, with who does not get it, and why", async () => {
    const topic = unique("t");
    const watcher = await broker.connect({ version: 5, clientId: unique("watcher") });
    await watcher.subscribe("$events/message/dropped");
    const reader = await broker.connect({ version: 5, properties: { maximumPacketSize: 100 } });
    await reader.subscribe(topic);
    const publisher = await broker.connect();
    await publisher.publish(topic, "x".repeat(200), { qos: 1 });
    expect(await next(watcher, reader.clientId)).toEqual([
      "$events/message/dropped",
      expect.objectContaining({ reason: "too_large", topic, qos: 1, from_clientid: publisher.clientId }),
    ]);
  });

  test("nobody listens by #, or without a rule, and nobody but the broker tells them, whatever his rules say", async () => {
    const other = await broker.connect({ version: 5 });
    await other.subscribe("#");
    for (const filter of ["$events/#", "$events/client/connected", "$share/g/$events/#"])
      expect((await other.subscribe(filter)).reasonCodes).toEqual([NOT_AUTHORIZED]);
    const liar = await broker.connect({ version: 5, clientId: unique("liar") });
    expect((await liar.publish("$events/client/connected", "{}", { qos: 1 }))?.reasonCode).toBe(NOT_AUTHORIZED);
    const dying = await broker.open({ version: 5, clientId: unique("liar") });
    expect((await dying.connect({ version: 5, clientId: dying.clientId, will: { topic: "$events/x" } })).reasonCode).toBe(NOT_AUTHORIZED);
    expect((await call(broker, "/publish", TOKENS.admin, { topic: "$events/client/connected", payload: "{}" })).status).toBe(400);
    const request = { topic: "t", payload: "", response_topic: "$events/client/connected" };
    expect((await call(broker, "/request", TOKENS.publish, { timeout: "1s", request })).status).toBe(400);
    await other.silence();
  });

  test("figures are told as retained messages, of all objects together, and rest when nothing happens", async () => {
    const watcher = await broker.connect({ version: 5, clientId: unique("watcher") });
    const figures = new Map<string, string>();
    const [one, two] = [await broker.connect(), await broker.connect({ clean: false })];
    await two.subscribe("a/#");
    await one.publish("a/b", "x", { qos: 1 });
    await two.disconnect();
    await watcher.subscribe("$SYS/broker/#");
    const isSo = (): boolean => {
      const of = (name: string): number => Number(figures.get(`$SYS/broker/${name}`));
      return (
        of("clients/connected") >= 2 &&
        of("clients/disconnected") >= 1 &&
        of("clients/total") === of("clients/connected") + of("clients/disconnected") &&
        of("subscriptions/count") >= 2 &&
        of("messages/received") >= 1 &&
        of("publish/messages/sent") >= 1 &&
        /^durable-mqtt version \d/.test(figures.get("$SYS/broker/version") ?? "") &&
        /^\d+ seconds$/.test(figures.get("$SYS/broker/uptime") ?? "")
      );
    };
    while (!isSo()) {
      const message = await watcher.message();
      figures.set(message.topic, textOf(message));
    }
    const late = await broker.connect({ version: 5, clientId: unique("watcher") });
    await late.subscribe("$SYS/broker/version");
    expect(await late.message()).toMatchObject({ retain: true });
    const other = await broker.connect({ version: 5 });
    expect((await other.subscribe("$SYS/broker/#")).reasonCodes).toEqual([NOT_AUTHORIZED]);
  });

  test("by HTTP they are for the scope admin", async () => {
    const filter = encodeURIComponent("$events/client/connected");
    for (const query of [`filter=${filter}`, `filter=a&filter=${encodeURIComponent("$share/g/$events/#")}`])
      expect((await call(broker, `/subscribe?${query}`, TOKENS.read)).status).toBe(403);
    const response = await call(broker, `/subscribe?filter=${filter}`, TOKENS.admin);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = (await reader.read()).value ?? "";
    const { clientId } = await broker.connect();
    while (!text.includes(clientId)) text += (await reader.read()).value ?? "";
    expect(text).toContain('"topic":"$events/client/connected"');
    await reader.cancel();
  });
}, ENV);
