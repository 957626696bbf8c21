/** The HTTP API looks into clients and acts on their behalf: subscriptions, messages that wait, messages for one client, requests made twice. */

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { PUBACK, PUBLISH, PUBREC } from "../../src/mqtt/packet.ts";
import { TRACES_MAX } from "../../src/work-limits.ts";
import { type Answer, API_ENV, call, eventsOf, published, refused, TOKENS } from "../support/api.ts";
import { describeTopologies, type TestBroker } from "../support/brokers.ts";
import { acknowledgement, request, textOf, unique } from "../support/mqtt-client.ts";

const at = (clientId: string, rest: string): string => `/clients/${encodeURIComponent(clientId)}/${rest}`;
const notConnected = { status: 404, body: refused("CLIENTID_NOT_FOUND", "The client is not connected.") };
const noClient = { status: 404, body: refused("CLIENTID_NOT_FOUND", "There is no such client.") };

/** All items of a list that goes on by cursors, and the most that a page had. */
async function all(broker: TestBroker, path: string): Promise<{ readonly items: Record<string, unknown>[]; readonly most: number }> {
  const items: Record<string, unknown>[] = [];
  let most = 0;
  let cursor = "";
  for (let pages = 0; pages < 1000; pages += 1) {
    const { status, body } = await call(broker, `${path}${cursor}`, { token: TOKENS.read });
    expect(status).toBe(200);
    const { data, meta } = body as { data: Record<string, unknown>[]; meta: { hasnext: boolean; cursor?: string } };
    items.push(...data);
    most = Math.max(most, data.length);
    if (!meta.hasnext) return { items, most };
    cursor = `&cursor=${encodeURIComponent(meta.cursor!)}`;
  }
  throw new Error("the list has no end");
}

describeTopologies(
  (broker) => {
    describe("subscriptions", () => {
      test("are what clients did: of all, of one, by filter and by the topics that they get", async () => {
        const prefix = unique("s");
        const made: { clientid: string; topic: string; qos: number }[] = [];
        const clients = await Promise.all(
          Array.from({ length: 9 }, (_, index) => broker.connect({ version: 5, clientId: `${prefix}/${index}` })),
        );
        for (const [index, client] of clients.entries()) {
          for (let number = 0; number <= index; number += 1) {
            const topic = number === 2 ? `$share/g/${prefix}/shared` : `${prefix}/${index}/${number}/+`;
            const qos = (number % 3) as 0 | 1 | 2;
            await client.subscribe(topic, { qos });
            made.push({ clientid: client.clientId, topic, qos });
          }
        }
        await clients[8]!.unsubscribe(`${prefix}/8/0/+`);
        const there = made.filter(({ topic }) => topic !== `${prefix}/8/0/+`);
        const byName = (list: readonly { clientid?: unknown; topic?: unknown; qos?: unknown }[]): string[] =>
          list.map(({ clientid, topic, qos }) => `${clientid} ${topic} ${qos}`).sort();
        const ours = (list: readonly Record<string, unknown>[]): Record<string, unknown>[] =>
          list.filter(({ topic }) => String(topic).includes(prefix));
        const { items, most } = await all(broker, "/subscriptions?limit=7");
        expect(byName(ours(items))).toEqual(byName(there));
        expect(most).toBeLessThanOrEqual(7);
        expect(byName((await all(broker, `/subscriptions?limit=100&clientid=${encodeURIComponent(`${prefix}/4`)}`)).items)).toEqual(
          byName(there.filter(({ clientid }) => clientid === `${prefix}/4`)),
        );
        const matching = await all(broker, `/subscriptions?limit=100&match_topic=${encodeURIComponent(`${prefix}/5/1/x`)}`);
        expect(byName(matching.items)).toEqual([`${prefix}/5 ${prefix}/5/1/+ 1`]);
        expect(ours((await all(broker, "/subscriptions?limit=100&share_group=g")).items)).toHaveLength(7);
        const filters = ours((await all(broker, "/topics?limit=7")).items).map(({ topic }) => String(topic));
        expect([...new Set(filters)].sort()).toEqual([...new Set(there.map(({ topic }) => topic))].sort());
        expect((await call(broker, at(`${prefix}/1`, "subscriptions"))).body).toEqual([
          { clientid: `${prefix}/1`, topic: `${prefix}/1/0/+`, qos: 0, nl: 0, rap: 0, rh: 0 },
          { clientid: `${prefix}/1`, topic: `${prefix}/1/1/+`, qos: 1, nl: 0, rap: 0, rh: 0 },
        ]);
        expect(await call(broker, at(`${prefix}/none`, "subscriptions"))).toEqual(noClient);
      });

      test("are made and ended on behalf of a client, which gets what is retained, and keeps them", async () => {
        const prefix = unique("s");
        await call(broker, "/publish", { body: { topic: `${prefix}/a`, payload: "kept", qos: 1, retain: true } });
        const client = await broker.connect({ version: 5, clientId: `${prefix}/c`, properties: { sessionExpiryInterval: 600 } });
        const made = await call(broker, at(client.clientId, "subscribe"), { body: { topic: `${prefix}/+`, qos: 1, rap: 1 } });
        expect(made).toEqual({ status: 200, body: { clientid: client.clientId, topic: `${prefix}/+`, qos: 1, nl: 0, rap: 1, rh: 0 } });
        expect(textOf(await client.message())).toBe("kept");
        await client.disconnect();
        expect(await call(broker, at(client.clientId, "subscribe"), { body: { topic: "a" } })).toEqual(notConnected);
        await call(broker, "/publish", { body: { topic: `${prefix}/b`, payload: "queued", qos: 1 } });
        const back = await broker.connect({
          version: 5,
          clientId: client.clientId,
          clean: false,
          properties: { sessionExpiryInterval: 600 },
        });
        expect(textOf(await back.message())).toBe("queued");
        expect((await call(broker, at(client.clientId, "unsubscribe"), { body: { topic: `${prefix}/+` } })).status).toBe(204);
        expect((await call(broker, at(client.clientId, "unsubscribe"), { body: { topic: `${prefix}/+` } })).status).toBe(204);
        expect((await call(broker, at(client.clientId, "subscriptions"))).body).toEqual([]);
        const many = await call(broker, at(client.clientId, "subscribe/bulk"), {
          body: [{ topic: `${prefix}/x`, qos: 2 }, { topic: "a/#/b" }],
        });
        expect(many.body).toEqual([
          { clientid: client.clientId, topic: `${prefix}/x`, qos: 2, nl: 0, rap: 0, rh: 0 },
          { topic: "a/#/b", code: "BAD_REQUEST", message: expect.any(String) },
        ]);
        expect((await call(broker, at(client.clientId, "unsubscribe/bulk"), { body: [{ topic: `${prefix}/x` }] })).status).toBe(204);
        expect((await call(broker, at(client.clientId, "subscriptions"))).body).toEqual([]);
      });

      test.each([".", ".."])("of a client called %s are found by the query, as it is itself", async (clientId) => {
        const client = await broker.connect({ version: 5, clientId });
        const of = (part: string): string => `/clients/_${part}?clientid=${clientId}`;
        expect((await call(broker, of("/subscribe"), { body: { topic: "dots/#", qos: 1 } })).body).toMatchObject({ clientid: clientId });
        expect((await call(broker, of("/subscriptions"))).body).toMatchObject([{ clientid: clientId, topic: "dots/#" }]);
        expect((await call(broker, of(""))).body).toMatchObject({ clientid: clientId, connected: true });
        expect((await call(broker, of(""), { method: "DELETE" })).status).toBe(204);
        expect(await client.closed).toMatchObject({ code: expect.any(Number) });
      });

      test("what is none is refused", async () => {
        const { clientId } = await broker.connect({ version: 5 });
        for (const body of [{}, { topic: 1 }, { topic: "a", qos: 3 }, { topic: "a", nl: 2 }, { topic: "a", other: 1 }, { topic: "a/#/b" }])
          expect(await call(broker, at(clientId, "subscribe"), { body })).toEqual({ status: 400, body: refused("BAD_REQUEST") });
        for (const body of [[], {}, Array.from({ length: 41 }, () => ({ topic: "a" }))])
          expect((await call(broker, at(clientId, "subscribe/bulk"), { body })).status).toBe(400);
        expect((await call(broker, "/subscriptions?match_topic=a/%23")).status).toBe(400);
        expect((await call(broker, "/subscriptions?cursor=x")).status).toBe(400);
        for (const path of ["subscribe", "unsubscribe"])
          expect((await call(broker, at(clientId, path), { token: TOKENS.read, body: { topic: "a" } })).status).toBe(403);
      });
    });

    describe("messages that wait", () => {
      test("are told page by page: those that were sent, and those behind them", async () => {
        const topic = unique("w");
        const properties = { receiveMaximum: 3, sessionExpiryInterval: 600 };
        const client = await broker.connect({ version: 5, clientId: unique("slow"), autoAck: false, properties });
        await client.subscribe(topic, { qos: 1 });
        const payloads = Array.from({ length: 20 }, (_, index) => `${index}`);
        for (const payload of payloads) await call(broker, "/publish", { body: { topic, payload, qos: 1 } });
        for (let came = 0; came < 3; came += 1) await client.expect(PUBLISH);
        const told = async (list: string): Promise<unknown[]> => {
          const found: unknown[] = [];
          for (let position = "0"; ; ) {
            const { body } = await call(broker, at(client.clientId, `${list}?limit=4&payload=plain&position=${position}`));
            const { data, meta } = body as { data: { payload: string }[]; meta: { hasnext: boolean; position?: number } };
            found.push(...data.map(({ payload }) => payload));
            if (!meta.hasnext) return found;
            position = `${meta.position}`;
          }
        };
        expect(await told("inflight_messages")).toEqual(payloads.slice(0, 3));
        expect(await told("mqueue_messages")).toEqual(payloads.slice(3));
        expect((await call(broker, at(client.clientId, "").slice(0, -1))).body).toMatchObject({ inflight_cnt: 3, mqueue_len: 17 });
        const { body } = await call(broker, at(client.clientId, "inflight_messages?limit=1"));
        expect(body).toEqual({
          data: [
            {
              msgid: 1,
              topic,
              qos: 1,
              retain: false,
              from_clientid: "",
              payload_size: 1,
              payload: btoa("0"),
              payload_encoding: "base64",
            },
          ],
          meta: { limit: 1, hasnext: true, position: 1 },
        });
        client.terminate();
        await expect.poll(() => told("inflight_messages").then((list) => list.length)).toBe(3);
        expect((await call(broker, at(client.clientId, "mqueue_messages?payload=x"))).status).toBe(400);
        expect(await call(broker, at("nobody", "mqueue_messages"))).toEqual(noClient);
      });
    });

    describe("a message for one client", () => {
      const send = (clientId: string, query: string, body = "x", headers = {}): Promise<Answer> =>
        call(broker, `/connections/${encodeURIComponent(clientId)}/messages?${query}`, { token: TOKENS.publish, body, headers });

      test("reaches it without a subscription, and waits for its acknowledgement", async () => {
        const client = await broker.connect({ version: 5, clientId: unique("one"), properties: { sessionExpiryInterval: 600 } });
        expect(await send(client.clientId, "topic=a/b")).toEqual({ status: 200, body: { message: "OK", id: expect.any(String) } });
        expect(await client.message()).toMatchObject({ topic: "a/b", qos: 0, retain: false });
        expect((await send(client.clientId, "topic=a/b&confirmation=true&contentType=text/plain", "two")).status).toBe(200);
        const came = await client.message();
        expect([textOf(came), came.qos, came.properties.contentType]).toEqual(["two", 1, "text/plain"]);
        client.autoAck = false;
        expect(await send(client.clientId, "topic=a/b&confirmation=true&timeout=1")).toEqual({ status: 504, body: refused("TIMEOUT") });
        client.send(acknowledgement(PUBACK, (await client.expect(PUBLISH)).packetId));
        const refusing = send(client.clientId, "topic=a/b&confirmation=true&qos=2");
        client.send(acknowledgement(PUBREC, (await client.expect(PUBLISH)).packetId, 0x83));
        expect(await refusing).toEqual({ status: 422, body: refused("NOT_TAKEN") });
        const leaving = send(client.clientId, "topic=a/b&confirmation=true");
        await client.expect(PUBLISH);
        client.terminate();
        expect(await leaving).toEqual(notConnected);
        expect(await send("nobody", "topic=a")).toEqual(notConnected);
      });

      test("too large for it, or none at all, is refused", async () => {
        const client = await broker.connect({ version: 5, clientId: unique("one"), properties: { maximumPacketSize: 100 } });
        expect(await send(client.clientId, "topic=a&confirmation=true", "x".repeat(200))).toEqual({
          status: 422,
          body: refused("NOT_TAKEN"),
        });
        for (const query of [
          "",
          "topic=a/%23",
          "topic=a&qos=3",
          "topic=a&confirmation=true&qos=0",
          "topic=a&timeout=61",
          "topic=a&confirmation=x",
        ])
          expect((await send(client.clientId, query)).status).toBe(400);
      });
    });

    describe("Idempotency-Key", () => {
      const again = (path: string, body: unknown, key: string, token = TOKENS.publish): Promise<Answer> =>
        call(broker, path, { token, body, headers: { "Idempotency-Key": key } });

      test.each([0, 1, 2] as const)("a repeat is not published again and has the same answer, at QoS %i", async (qos) => {
        const topic = unique("once");
        const key = randomUUID();
        const message = { topic, payload: "x", qos };
        const subscriber = await broker.connect({ version: 5 });
        await subscriber.subscribe(topic, { qos: 2 });
        const [first, ...others] = await Promise.all(Array.from({ length: 5 }, () => again("/publish", message, key)));
        expect(first).toEqual(published);
        for (const other of [...others, await again("/publish", message, key)]) expect(other).toEqual(first);
        expect(await again("/publish", { ...message, payload: "y" }, key)).toEqual({
          status: 422,
          body: refused("IDEMPOTENCY_KEY_REUSED"),
        });
        // The key of another token is another one.
        expect(await again("/publish", message, key, TOKENS.admin)).toEqual(published);
        expect(await again("/publish", { ...message, payload: "last" }, randomUUID())).toEqual(published);
        expect((await subscriber.messages(3)).map(textOf)).toEqual(["x", "x", "last"]);
      });

      test("is for lists, raw messages and messages for one client too", async () => {
        const topic = unique("once");
        const subscriber = await broker.connect({ version: 5 });
        await subscriber.subscribe(`${topic}/#`, { qos: 1 });
        const list = Array.from({ length: 8 }, (_, index) => ({ topic: `${topic}/${index}`, payload: "", qos: 1 }));
        const key = randomUUID();
        const first = await again("/publish/bulk", list, key);
        expect(await again("/publish/bulk", list, key)).toEqual(first);
        for (const path of [`/topics/${topic}/raw?qos=1`, `/connections/${subscriber.clientId}/messages?topic=${topic}/direct&qos=1`]) {
          const other = randomUUID();
          const answer = await again(path, "x", other);
          expect([answer.status, await again(path, "x", other)]).toEqual([200, answer]);
        }
        const topics = (await subscriber.messages(10)).map((each) => each.topic).sort();
        expect(topics).toEqual([...list.map((each) => each.topic), `${topic}/direct`, `${topic}/raw`].sort());
        await subscriber.silence();
      });

      test("another message by its headers alone is another one; one for another topic may be remembered elsewhere", async () => {
        const [topic, key] = [unique("once"), randomUUID()];
        const said = (headers: Readonly<Record<string, string>>, to = topic): Promise<Answer> =>
          call(broker, `/topics/${to}?qos=1`, { token: TOKENS.publish, body: "x", headers: { "Idempotency-Key": key, ...headers } });
        const own = { "x-amz-mqtt5-correlation-data": btoa("1"), "x-amz-mqtt5-user-properties": btoa('[{"a": "b"}]') };
        const first = await said(own);
        expect([first.status, await said(own)]).toEqual([202, first]);
        const others = [
          {},
          { ...own, "x-amz-mqtt5-correlation-data": btoa("2") },
          { ...own, "x-amz-mqtt5-user-properties": btoa('[{"a": "c"}]') },
          { ...own, "x-amz-mqtt5-payload-format-indicator": "UTF8_DATA" },
        ];
        for (const other of others) expect(await said(other)).toEqual({ status: 422, body: refused("IDEMPOTENCY_KEY_REUSED") });
        expect([202, 422]).toContain((await said(own, unique("once"))).status);
      });

      test("is no promise where nothing was done, where it is none, or where nobody keeps it", async () => {
        const key = randomUUID();
        expect((await again("/publish", { topic: "a/#", payload: "", qos: 1 }, key)).status).toBe(400);
        expect((await again("/publish", { topic: "a", payload: "", qos: 1 }, key)).status).toBe(202);
        for (const wrong of ["", "a b", "x".repeat(256)])
          expect((await again("/publish", { topic: "a", payload: "", qos: 1 }, wrong)).status).toBe(400);
        expect((await again("/request", { request: { topic: "a", payload: "" } }, key)).status).toBe(400);
      });
    });

    describe("retained messages", () => {
      test("are set, and deleted below a prefix, which their subscribers hear", async () => {
        const prefix = unique("r");
        const path = (topic: string): string => `/mqtt/retainer/message/${encodeURIComponent(topic)}`;
        const set = (topic: string, body: unknown): Promise<Answer> => call(broker, path(topic), { method: "PUT", body });
        expect(
          (await set(`${prefix}/a`, { payload: "AQ==", payload_encoding: "base64", properties: { content_type: "x/y" } })).status,
        ).toBe(204);
        for (let index = 0; index < 60; index += 1) expect((await set(`${prefix}/below/${index}`, { payload: "x" })).status).toBe(204);
        expect((await call(broker, path(`${prefix}/a`))).body).toMatchObject({ payload: "AQ==", properties: { content_type: "x/y" } });
        const subscriber = await broker.connect({ version: 5 });
        await subscriber.subscribe(`${prefix}/below/7`);
        await subscriber.message();
        let deleted = 0;
        for (let cursor = ""; ; ) {
          const filter = encodeURIComponent(`${prefix}/below/#`);
          const { status, body } = await call(broker, `/mqtt/retainer/messages?topic=${filter}${cursor}`, { method: "DELETE" });
          expect(status).toBe(200);
          const { deleted: some, meta } = body as { deleted: number; meta: { hasnext: boolean; cursor?: string } };
          deleted += some;
          if (!meta.hasnext) break;
          cursor = `&cursor=${encodeURIComponent(meta.cursor!)}`;
        }
        expect(deleted).toBe(60);
        expect((await subscriber.message()).payload).toHaveLength(0);
        expect((await all(broker, `/mqtt/retainer/messages?topic=${encodeURIComponent(`${prefix}/#`)}`)).items).toHaveLength(1);
        for (const body of [{}, { payload: "" }, { payload: "x", topic: "a" }]) expect((await set(`${prefix}/a`, body)).status).toBe(400);
        expect((await set(`${prefix}/#`, { payload: "x" })).status).toBe(400);
        expect((await call(broker, "/mqtt/retainer/messages", { method: "DELETE" })).status).toBe(400);
        expect((await call(broker, `/mqtt/retainer/messages?topic=${prefix}`, { method: "DELETE", token: TOKENS.read })).status).toBe(403);
      });
    });

    describe("the trace of a client", () => {
      test("tells of its packets from its CONNECT on, without secrets, until it is read no more", async () => {
        const clientId = unique("watched");
        const response = await fetch(`${broker.url}/api/v5${at(clientId, "trace")}`, {
          headers: { Authorization: `Bearer ${TOKENS.admin}` },
        });
        expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream; charset=utf-8"]);
        const events = eventsOf(response);
        expect((await events.next()).value).toMatchObject({ event: "comment" });
        const client = await broker.connect({ version: 5, clientId, userName: "ada", password: "a-secret" });
        await client.subscribe("t/#", { qos: 1 });
        await client.publish("t/a", "the payload", { qos: 1, properties: { contentType: "x/y", correlationData: new Uint8Array(3) } });
        await client.message();
        await client.disconnect();
        const told: Record<string, unknown>[] = [];
        while (told.at(-1)?.packet !== "closed") told.push((await events.next()).value!.data);
        const brief = told.map(({ direction, packet }) => `${direction} ${packet}`);
        expect(brief.slice(0, 5)).toEqual(["in CONNECT", "out CONNACK", "in SUBSCRIBE", "out SUBACK", "in PUBLISH"]);
        expect(new Set(brief)).toEqual(
          new Set([
            ...["in CONNECT", "out CONNACK", "in SUBSCRIBE", "out SUBACK", "in PUBLISH", "out PUBLISH", "in PUBACK", "out PUBACK"],
            ...["in DISCONNECT", "out close", "in closed"],
          ]),
        );
        expect(told[0]).toMatchObject({ proto_ver: 5, username: null, clean_start: true, time: expect.any(Number) });
        expect(told.find(({ packet }) => packet === "SUBSCRIBE")).toMatchObject({
          filters: [{ topic: "t/#", qos: 1, nl: 0, rap: 0, rh: 0 }],
        });
        const publish = { topic: "t/a", qos: 1, payload_size: 11, properties: { content_type: "x/y", correlation_data: { size: 3 } } };
        expect(told.filter(({ packet }) => packet === "PUBLISH")).toMatchObject([publish, publish]);
        const text = JSON.stringify(told);
        for (const secret of ["a-secret", "the payload"]) expect(text).not.toContain(secret);
        // Whoever has connected already is watched as well, and a client that nobody watches any more is as before.
        const second = await broker.connect({ version: 4, clientId });
        await events.return(undefined);
        await second.ping();
        // As many as may be; that the first reader has gone is noticed meanwhile.
        const others: Response[] = [];
        for (let isOpen = true; isOpen; ) {
          const other = await fetch(`${broker.url}/api/v5${at(clientId, "trace")}`, {
            headers: { Authorization: `Bearer ${TOKENS.admin}` },
          });
          isOpen = other.status === 200;
          if (isOpen) others.push(other);
          else expect([other.status, await other.json()]).toEqual([503, refused("SERVICE_UNAVAILABLE")]);
        }
        expect([TRACES_MAX - 1, TRACES_MAX]).toContain(others.length);
        const third = eventsOf(others.pop()!);
        await third.next();
        await second.publish("t/b", "x");
        expect((await third.next()).value!.data).toMatchObject({ direction: "in", packet: "PUBLISH", topic: "t/b", qos: 0 });
        for (const each of others) await each.body!.cancel();
        await third.return(undefined);
        expect((await call(broker, at(clientId, "trace"), { token: TOKENS.read })).status).toBe(403);
      });
    });

    describe("stats", () => {
      test("count what there is, by object and in all", async () => {
        const client = await broker.connect({ version: 5, clientId: unique("c"), properties: { sessionExpiryInterval: 600 } });
        await client.subscribe([request(unique("t")), request(unique("t"))]);
        const before = (await call(broker, "/stats?aggregate=true", { token: TOKENS.read })).body as Record<string, number>;
        await client.disconnect();
        const { body } = await call(broker, "/stats", { token: TOKENS.read });
        const nodes = body as (Record<string, number> & { node: string; up: boolean })[];
        expect(nodes.map(({ node }) => node)).toContain(broker.shape === "compact" ? "broker" : "session/3");
        expect(nodes.every(({ up }) => up)).toBe(true);
        const total = (name: string): number => nodes.reduce((sum, each) => sum + each[name]!, 0);
        expect(before["subscriptions.count"]).toBeGreaterThanOrEqual(2);
        expect(total("sessions.count")).toBe(before["sessions.count"]);
        expect(total("live_connections.count")).toBe(before["live_connections.count"]! - 1);
        expect((await call(broker, "/monitor_current")).body).toMatchObject({ connections: before["sessions.count"] });
      });

      test("and what objects have counted since they woke, with why messages were dropped", async () => {
        const counted = async () => (await call(broker, "/metrics?aggregate=true", { token: TOKENS.read })).body as Record<string, number>;
        const topic = unique("t");
        const client = await broker.connect({ version: 5, clientId: unique("c"), properties: { maximumPacketSize: 200 } });
        await client.subscribe([request(topic)]);
        const before = await counted();
        await client.publish(topic, "x".repeat(300), { qos: 1 });
        await client.publish(topic, "x", { qos: 1 });
        await client.messages(1);
        const after = await counted();
        const more = (name: string): number => after[name]! - before[name]!;
        expect(["messages.received", "messages.sent", "delivery.dropped", "delivery.dropped.too_large"].map(more)).toEqual([2, 1, 1, 1]);
        const { body } = await call(broker, "/metrics", { token: TOKENS.read });
        const nodes = body as (Record<string, number> & { up: boolean })[];
        expect(nodes.every(({ up }) => up)).toBe(true);
        expect(nodes.reduce((sum, each) => sum + each["messages.received"]!, 0)).toBe(after["messages.received"]);
        expect((await call(broker, "/metrics", { token: TOKENS.publish })).status).toBe(403);
      });
    });
    test("what was counted in a minute is told", { timeout: 60_000 }, async () => {
      const topic = unique("m");
      const client = await broker.connect({ version: 5, namespace: "acme" });
      await client.subscribe(topic);
      for (let index = 0; index < 5; index += 1) await client.publish(topic, "x", { qos: 1 });
      await client.messages(5);
      // It is in rows some seconds later; there may be a new minute by then.
      const told = async (): Promise<number[]> => {
        const { body } = await call(broker, "/monitor?latest=300&namespace=acme");
        const points = body as { received: number; sent: number; live_connections: number }[];
        const sum = (of: (point: (typeof points)[number]) => number): number => points.reduce((total, point) => total + of(point), 0);
        return [points.length, sum(({ received }) => received), sum(({ sent }) => sent), points.at(-1)!.live_connections];
      };
      await expect.poll(told, { timeout: 30_000, interval: 500 }).toEqual([5, 5, 5, 1]);
      expect((await call(broker, "/monitor?latest=86400")).body).toHaveLength(288);
      for (const latest of ["59", "86401", "x"]) expect((await call(broker, `/monitor?latest=${latest}`)).status).toBe(400);
      // What it cost is told as well; when it is in rows, a test of objects says.
      const { status, body } = await call(broker, "/usage?namespace=acme");
      expect(status).toBe(200);
      for (const month of body as object[])
        expect(month).toMatchObject({ month: expect.stringMatching(/^\d{4}-\d{2}$/), requests: expect.any(Number) });
    });
  },
  { ...API_ENV, MONITOR: "true" },
);
