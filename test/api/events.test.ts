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
    { permission: "allow", action: "subscribe", topics: ["$events/#", "$SYS/#", "$presence/#"], clientid_re: "^watcher.*" },
    { permission: "allow", action: "publish", topics: ["$events/#", "$presence/#"], clientid_re: "^liar.*" },
    { permission: "allow", action: "all", topics: ["#"] },
  ]),
  SYS_SECONDS: "1",
  PRESENCE: "true",
  NAMESPACES: "*",
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
    expect((await call(broker, "/request", TOKENS.admin, { timeout: "1s", request })).status).toBe(400);
    for (const response_topic of ["$share/g/$events/client/connected", "$share/workers/jobs"]) {
      const asked = await call(broker, "/request", TOKENS.admin, { timeout: "1s", request: { ...request, response_topic } });
      const message = "request.response_topic must be a Topic Name, and none that begins with $share/.";
      expect([asked.status, await asked.json()]).toEqual([400, { code: "BAD_REQUEST", message }]);
    }
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

  test("who is there is told at once, and who comes and goes, in one namespace, to who has a rule for it; by HTTP to who may read", async () => {
    const [room, namespace] = [unique("room"), unique("n")];
    const watcher = await broker.connect({ version: 5, clientId: unique("watcher") });
    const other = await broker.connect({ version: 5, clientId: unique("watcher"), namespace });
    const member = await broker.connect({ version: 5, properties: { sessionExpiryInterval: 60 } });
    await member.subscribe(`${room}/a`);
    for (const each of [watcher, other]) await each.subscribe(`$presence/${room}/a`, { qos: 1 });
    const about = { filter: `${room}/a`, timestamp: expect.any(Number) };
    const who = { clientid: member.clientId, username: null };
    const state = { ...about, event: "state", count: 1, complete: true, members: [who] };
    const first = await watcher.message();
    expect([first.retain, first.qos, JSON.parse(textOf(first))]).toEqual([true, 1, state]);
    expect(JSON.parse(textOf(await other.message()))).toEqual({ ...state, count: 0, members: [] });
    const stranger = await broker.connect({ namespace });
    await stranger.subscribe(`${room}/a`);
    expect(JSON.parse(textOf(await other.message()))).toMatchObject({ event: "join", clientid: stranger.clientId, count: 1 });
    const next = async (): Promise<unknown> => {
      const message = await watcher.message();
      expect([message.retain, message.properties.contentType]).toEqual([false, "application/json"]);
      return JSON.parse(textOf(message));
    };
    const listed = async (query = ""): Promise<unknown> =>
      (await call(broker, `/presence?filter=${encodeURIComponent(`${room}/a`)}${query}`, TOKENS.read)).json();
    expect(await listed()).toEqual({ data: [who], meta: { limit: 100, hasnext: false } });
    expect(await listed(`&namespace=${namespace}`)).toMatchObject({ data: [{ clientid: stranger.clientId }] });
    await member.disconnect();
    expect(await next()).toEqual({ ...about, ...who, event: "leave", count: 0 });
    expect(await listed()).toMatchObject({ data: [] });
    const names = [unique("m"), unique("m"), unique("m")].sort();
    for (const clientId of names) await (await broker.connect({ clientId })).subscribe(`${room}/a`);
    for (const [index, clientid] of names.entries()) expect(await next()).toMatchObject({ event: "join", clientid, count: index + 1 });
    const found: string[] = [];
    for (let cursor = ""; ; ) {
      const { data, meta } = (await listed(`&limit=1${cursor}`)) as { data: { clientid: string }[]; meta: { cursor?: string } };
      found.push(...data.map(({ clientid }) => clientid));
      if (meta.cursor === undefined) break;
      cursor = `&cursor=${encodeURIComponent(meta.cursor)}`;
    }
    expect(found.sort()).toEqual(names);
    // A cursor names an object, of which no other namespace has the clients.
    for (const object of [`${namespace}/broker`, `${namespace}/session/0`, `${namespace}/client/${stranger.clientId}`, unique("object")]) {
      const query = `filter=${encodeURIComponent(`${room}/a`)}&cursor=${encodeURIComponent(`0:${object}\0`)}`;
      expect([object, (await call(broker, `/presence?${query}`, TOKENS.read)).status]).toEqual([object, 400]);
    }
    expect((await call(broker, "/presence?filter=a", TOKENS.publish)).status).toBe(403);
    for (const query of ["filter=a/%23/b", "filter=$share/g/a", "filter=a&cursor=7:x", "limit=1"])
      expect([query, (await call(broker, `/presence?${query}`, TOKENS.read)).status]).toEqual([query, 400]);
  });

  test("what is no filter of whom it is told who is there is refused, and nobody tells it but the broker", async () => {
    const watcher = await broker.connect({ version: 5, clientId: unique("watcher") });
    for (const [filter, code] of [
      ["$presence/a/+", 0xa2],
      ["$presence/#", 0xa2],
      ["$share/g/$presence/a", 0x9e],
      ["$presence/", 0x8f],
      ["$presence/$share/g/a", 0x8f],
    ] as const) {
      const { reasonCodes, properties } = await watcher.subscribe(filter);
      expect([filter, reasonCodes, properties.reasonString]).toEqual([filter, [code], expect.stringContaining("who is there")]);
      const stream = await call(broker, `/subscribe?filter=${encodeURIComponent(filter)}`, TOKENS.read);
      expect([stream.status, await stream.json()]).toEqual([
        400,
        { code: "BAD_REQUEST", message: expect.stringContaining("who is there") },
      ]);
    }
    const plain = await broker.connect({ version: 5 });
    expect((await plain.subscribe("$presence/a")).reasonCodes).toEqual([NOT_AUTHORIZED]);
    const liar = await broker.connect({ version: 5, clientId: unique("liar") });
    expect((await liar.publish("$presence/a", "{}", { qos: 1 }))?.reasonCode).toBe(NOT_AUTHORIZED);
    expect((await call(broker, "/publish", TOKENS.admin, { topic: "$presence/a", payload: "{}" })).status).toBe(400);
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
