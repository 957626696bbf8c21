/** The HTTP API for programs: to publish, to ask a client, to look who is there and what is retained; with tokens for one thing each. */

import { describe, expect, test, vi } from "vitest";
import { API_MESSAGES_MAX } from "../../src/login-limits.ts";
import { DISCONNECT } from "../../src/mqtt/packet.ts";
import { type Answer, API_ENV, type Ask, call, eventsOf, published, refused, TOKENS } from "../support/api.ts";
import { describeTopologies } from "../support/brokers.ts";
import { textOf, unique } from "../support/mqtt-client.ts";

const unmatched = { status: 202, body: { reason_code: 16, message: "no_matching_subscribers" } };
const noTopic = { reason_code: 144, message: "topic_name_invalid" };

describeTopologies((broker) => {
  describe("who may", () => {
    test("nobody without a token, and each with what its token is for, where it is for it", async () => {
      const message = { topic: unique("t"), payload: "x" };
      for (const token of ["", "x", `${TOKENS.publish}x`])
        expect(await call(broker, "/publish", { token, body: message })).toEqual({ status: 401, body: refused("UNAUTHORIZED") });
      expect((await call(broker, "/publish", { token: TOKENS.publish, body: message })).status).toBe(200);
      expect(await call(broker, "/publish", { token: TOKENS.read, body: message })).toEqual({
        status: 403,
        body: refused("FORBIDDEN", "This needs a token with the scope publish."),
      });
      for (const path of ["/clients", "/clients/c", "/mqtt/retainer/messages", "/mqtt/retainer/message/t"]) {
        expect((await call(broker, path, { token: TOKENS.publish })).status).toBe(403);
        expect((await call(broker, path, { token: TOKENS.read })).status).not.toBe(403);
      }
      for (const path of ["/clients/c", "/mqtt/retainer/message/t"])
        expect((await call(broker, path, { token: TOKENS.read, method: "DELETE" })).status).toBe(403);
      expect((await call(broker, "/banned", { token: TOKENS.read })).status).toBe(403);
      expect(await call(broker, "/banned")).toEqual({ status: 404, body: refused("NOT_FOUND", expect.stringContaining("ADMIN_TOKEN")) });
      expect((await call(broker, "/publish?namespace=acme", { token: TOKENS.publish, body: message })).status).toBe(401);
      expect((await call(broker, "/publish?namespace=acme", { token: TOKENS.acme, body: message })).status).toBe(200);
      expect((await call(broker, "/publish", { token: TOKENS.acme, body: message })).status).toBe(401);
      expect(await call(broker, "/clients?namespace=other")).toEqual({ status: 404, body: refused("NOT_FOUND") });
    });

    test("by Basic with the name of the token, and no other name", async () => {
      const basic = (text: string): Ask => ({ headers: { Authorization: `Basic ${btoa(text)}` } });
      expect((await call(broker, "/clients", basic(`reader:${TOKENS.read}`))).status).toBe(200);
      for (const text of [`publisher:${TOKENS.read}`, `:${TOKENS.read}`, TOKENS.read, "reader:"])
        expect((await call(broker, "/clients", basic(text))).status).toBe(401);
      expect((await call(broker, "/clients", { headers: { Authorization: "Basic ***" } })).status).toBe(401);
    });
  });

  describe("publish", () => {
    test("brings a message with all its properties to who is subscribed, and says where nobody is", async () => {
      const topic = unique("t");
      const message = {
        topic,
        payload: btoa("\u0000\u00ff"),
        payload_encoding: "base64",
        qos: 2,
        properties: {
          payload_format_indicator: 0,
          message_expiry_interval: 100,
          content_type: "application/octet-stream",
          response_topic: "answers",
          correlation_data: "c",
          user_properties: { a: "b" },
        },
      };
      expect(await call(broker, "/publish", { body: message })).toEqual(unmatched);
      const subscriber = await broker.connect({ version: 5 });
      await subscriber.subscribe(topic, { qos: 2 });
      expect(await call(broker, "/publish", { body: message })).toEqual(published);
      const came = await subscriber.message();
      expect([...came.payload]).toEqual([0, 255]);
      expect({ qos: came.qos, retain: came.retain, properties: came.properties }).toEqual({
        qos: 2,
        retain: false,
        properties: {
          payloadFormatIndicator: 0,
          messageExpiryInterval: 100,
          contentType: "application/octet-stream",
          responseTopic: "answers",
          correlationData: new Uint8Array([99]),
          userProperties: [["a", "b"]],
        },
      });
      const pairs = [
        ["n", "1"],
        ["n", "2"],
      ];
      await call(broker, "/publish", { body: { topic, payload: "zero", properties: { user_properties: pairs } } });
      const second = await subscriber.message();
      expect([textOf(second), second.qos, second.properties.userProperties]).toEqual(["zero", 0, pairs]);
    });

    test.each<[string, unknown, string | RegExp]>([
      ["no JSON", "{", "The body is not valid JSON."],
      ["a depth that no parser takes", "[".repeat(100_000), "The body is not valid JSON."],
      ["a list", [], "The body must be a JSON object."],
      ["no topic", { payload: "x" }, "topic is missing."],
      ["no payload", { topic: "t" }, "payload is missing."],
      ["a number as its payload", { topic: "t", payload: 1 }, "payload must be a text."],
      ["an unknown field", { topic: "t", payload: "x", ttl: 1 }, /unknown field; known are topic, payload/],
      ["an unknown property", { topic: "t", payload: "x", properties: { ttl: 1 } }, /^properties has an unknown field/],
      ["no Base64", { topic: "t", payload: "*", payload_encoding: "base64" }, "payload must be Base64."],
      ["an unknown encoding", { topic: "t", payload: "x", payload_encoding: "hex" }, "payload_encoding must be one of plain, base64."],
      ["a QoS as text", { topic: "t", payload: "x", qos: "1" }, "qos must be 0, 1 or 2."],
      ["retain as a number", { topic: "t", payload: "x", retain: 1 }, "retain must be true or false."],
      ["an expiry below 0", { topic: "t", payload: "x", properties: { message_expiry_interval: -1 } }, /whole number of seconds/],
      [
        "user properties that are no texts",
        { topic: "t", payload: "x", properties: { user_properties: { a: 1 } } },
        /user_properties must be/,
      ],
      ["a wildcard in its Response Topic", { topic: "t", payload: "x", properties: { response_topic: "a/#" } }, /^The Response Topic: /],
    ])("says what is wrong with %s", async (_what, body, sentence) => {
      const message = typeof sentence === "string" ? sentence : expect.stringMatching(sentence);
      expect(await call(broker, "/publish", { body })).toEqual({ status: 400, body: refused("BAD_REQUEST", message) });
    });

    test.each(["", "a/+", "#", "a\u0000b"])("refuses %j as a topic, with the Reason Code", async (topic) => {
      expect(await call(broker, "/publish", { body: { topic, payload: "x" } })).toEqual({ status: 400, body: noTopic });
    });

    test("a body that is too large is refused, and one that is as large as a packet may be is not", async () => {
      const topic = unique("t");
      expect((await call(broker, "/publish", { body: { topic, payload: "x".repeat(1_000_000) } })).status).toBe(200);
      expect((await call(broker, "/publish", { body: { topic, payload: "x".repeat(1_100_000) } })).status).toBe(400);
      expect((await call(broker, "/publish", { body: { topic, payload: "x".repeat(5_000_000) } })).status).toBe(413);
    });
  });

  describe("publish/bulk", () => {
    test("brings many in their order, with an answer to each and the status of the worst", async () => {
      const topic = unique("t");
      const subscriber = await broker.connect({ version: 5, properties: { receiveMaximum: 1000 } });
      await subscriber.subscribe(`${topic}/+`, { qos: 1 });
      const many = Array.from({ length: 300 }, (_, index) => ({ topic: `${topic}/${index % 3}`, payload: `${index}`, qos: 1 }));
      const { status, body } = await call(broker, "/publish/bulk", { body: many });
      expect([status, (body as unknown[]).length, (body as unknown[])[299]]).toEqual([200, 300, published.body]);
      const came: number[][] = [[], [], []];
      for (let count = 0; count < 300; count += 1) {
        const message = await subscriber.message();
        came[Number(message.topic.at(-1))]!.push(Number(textOf(message)));
      }
      for (const [index, numbers] of came.entries()) expect(numbers).toEqual(Array.from({ length: 100 }, (_, at) => 3 * at + index));
      const mixed = [many[0], { topic: unique("nobody"), payload: "", qos: 1 }];
      expect(await call(broker, "/publish/bulk", { body: mixed })).toEqual({ status: 202, body: [published.body, unmatched.body] });
      expect(textOf(await subscriber.message())).toBe("0");
    });

    test("publishes nothing where one of them can't be", async () => {
      const topic = unique("t");
      const subscriber = await broker.connect({ version: 5 });
      await subscriber.subscribe(topic, { qos: 1 });
      const good = { topic, payload: "x", qos: 1 };
      expect(await call(broker, "/publish/bulk", { body: [good, { ...good, topic: "#" }] })).toEqual({
        status: 400,
        body: [{ reason_code: 128, message: "not_published" }, noTopic],
      });
      expect(await call(broker, "/publish/bulk", { body: [good, { ...good, qos: 3 }] })).toEqual({
        status: 400,
        body: refused("BAD_REQUEST", "[1].qos must be 0, 1 or 2."),
      });
      const long = { ...good, properties: { content_type: "x".repeat(70_000) } };
      expect(await call(broker, "/publish/bulk", { body: [good, long] })).toEqual({
        status: 400,
        body: refused("BAD_REQUEST", expect.stringMatching(/^\[1\]: /)),
      });
      for (const body of [{}, Array.from({ length: API_MESSAGES_MAX + 1 }, () => good)])
        expect((await call(broker, "/publish/bulk", { body })).status).toBe(400);
      await call(broker, "/publish", { body: { ...good, payload: "the first" } });
      expect(textOf(await subscriber.message())).toBe("the first");
    });
  });

  describe("topics", () => {
    test("takes the body as it is, with what else a message has in the URL and in headers", async () => {
      const topic = `${unique("t")}/a b/ü`;
      const subscriber = await broker.connect({ version: 5 });
      await subscriber.subscribe(topic, { qos: 1 });
      const path = `/topics/${topic.split("/").map(encodeURIComponent).join("/")}`;
      const query = "?qos=1&retain=true&contentType=text%2Fplain&responseTopic=r&messageExpiry=60";
      const headers = {
        "x-amz-mqtt5-user-properties": btoa(JSON.stringify([{ a: "1" }, { a: "2" }])),
        "x-amz-mqtt5-payload-format-indicator": "UTF8_DATA",
        "x-amz-mqtt5-correlation-data": btoa("c"),
      };
      expect(await call(broker, path + query, { body: "21.5", headers })).toEqual({
        status: 200,
        body: { message: "OK", ...published.body },
      });
      const came = await subscriber.message();
      expect([came.topic, textOf(came), came.qos]).toEqual([topic, "21.5", 1]);
      expect(came.properties).toEqual({
        payloadFormatIndicator: 1,
        messageExpiryInterval: expect.any(Number),
        contentType: "text/plain",
        responseTopic: "r",
        correlationData: new Uint8Array([99]),
        userProperties: [
          ["a", "1"],
          ["a", "2"],
        ],
      });
      expect(await call(broker, `/topics/${topic}`, { body: new Uint8Array([0, 255]) })).toEqual({
        status: 200,
        body: { message: "OK", ...published.body },
      });
      expect([...(await subscriber.message()).payload]).toEqual([0, 255]);
    });

    test.each<[string, string, Readonly<Record<string, string>>, unknown]>([
      ["a wildcard", "/topics/a/%23", {}, noTopic],
      ["a QoS", "/topics/t?qos=3", {}, refused("BAD_REQUEST", "qos must be 0, 1 or 2.")],
      ["retain", "/topics/t?retain=x", {}, refused("BAD_REQUEST", "retain must be true or false.")],
      ["an expiry", "/topics/t?messageExpiry=", {}, refused("BAD_REQUEST", "messageExpiry must be a whole number of seconds.")],
      ["a format", "/topics/t", { "x-amz-mqtt5-payload-format-indicator": "TEXT" }, refused("BAD_REQUEST")],
      ["correlation data", "/topics/t", { "x-amz-mqtt5-correlation-data": "*" }, refused("BAD_REQUEST")],
      ["user properties", "/topics/t", { "x-amz-mqtt5-user-properties": btoa("{}") }, refused("BAD_REQUEST")],
    ])("refuses %s that is none", async (_what, path, headers, body) => {
      expect(await call(broker, path, { body: "x", headers })).toEqual({ status: 400, body });
    });
  });

  describe("request", () => {
    test("is answered with what a client responds, to a topic of its own or to one that is agreed on", async () => {
      const topic = unique("square");
      const device = await broker.connect({ version: 5 });
      await device.subscribe(topic, { qos: 1 });
      const asked = call(broker, "/request", { body: { timeout: "10s", request: { topic, payload: "12", user_properties: { a: "b" } } } });
      const { properties } = await device.message();
      expect(properties.userProperties).toEqual([["a", "b"]]);
      const { responseTopic, correlationData } = properties;
      // Who is asked knows by that who asks, and is nobody else for it.
      const taker = await broker.open({ clientId: responseTopic!.split("/").at(-1)! });
      expect((await taker.connect({ version: 5, clientId: taker.clientId })).reasonCode).toBe(0x85);
      await device.publish(responseTopic!, "not this", { qos: 1, properties: { correlationData: new Uint8Array([1]) } });
      await device.publish(responseTopic!, "144", { qos: 1, properties: { correlationData: correlationData! } });
      const { status, body } = await asked;
      expect([status, body]).toEqual([200, expect.objectContaining({ payload: "144", payload_encoding: "plain", qos: 1 })]);

      const agreed = unique("answers");
      await device.publish(agreed, "an old one", { qos: 1, retain: true });
      const again = call(broker, "/request", { token: TOKENS.asker, body: { request: { topic, payload: "3", response_topic: agreed } } });
      await device.message();
      // As a client of 3.1.1 responds, which has no Correlation Data.
      await device.publish(agreed, "9", { qos: 1 });
      expect(await again).toEqual({ status: 200, body: expect.objectContaining({ topic: agreed, payload: "9" }) });
    });

    test("reads nobody else's messages by a Response Topic of its choice, where its token is only to publish", async () => {
      const [topic, secret] = [unique("t"), unique("secret")];
      const ask = (token: string, request: object, timeout = "10s"): Promise<Answer> =>
        call(broker, "/request", { token, body: { timeout, request: { topic, payload: "", qos: 0, ...request } } });
      for (const responseTopic of [secret, "$SYS/broker/version"])
        expect(await ask(TOKENS.publish, { response_topic: responseTopic }, "1s")).toEqual({
          status: 403,
          body: refused("FORBIDDEN", "response_topic needs a token with the scope read, too."),
        });
      const device = await broker.connect({ version: 5 });
      await device.subscribe(topic, { qos: 1 });
      // One of its own comes to nobody else, and is none without the Correlation Data of the request.
      const asked = ask(TOKENS.publish, { qos: 1 });
      const { responseTopic, correlationData } = (await device.message()).properties;
      await device.publish(responseTopic!, "not this", { qos: 1 });
      await device.publish(responseTopic!, "this", { qos: 1, properties: { correlationData: correlationData! } });
      expect(await asked).toMatchObject({ status: 200, body: { payload: "this" } });
    });

    test("says that nobody is there, or has answered in time, and what is wrong", async () => {
      const topic = unique("t");
      const request = { topic, payload: "x" };
      expect(await call(broker, "/request", { body: { request } })).toEqual({
        status: 404,
        body: expect.objectContaining({ reason_code: 16 }),
      });
      const mute = await broker.connect({ version: 5 });
      await mute.subscribe(topic, { qos: 1 });
      expect(await call(broker, "/request", { body: { timeout: "1s", request } })).toEqual({ status: 504, body: refused("TIMEOUT") });
      for (const body of [
        { timeout: 5, request },
        { timeout: "5", request },
        { timeout: "301s", request },
        { request: { ...request, retain: true } },
        {},
      ])
        expect(await call(broker, "/request", { body })).toEqual({ status: 400, body: refused("BAD_REQUEST") });
      expect(await call(broker, "/request", { body: { request: { ...request, topic: "#" } } })).toEqual({ status: 400, body: noTopic });
    });
  });

  describe("clients", () => {
    test("are listed over all objects page by page, found one by one, and their connections ended", async () => {
      const prefix = unique("c");
      const names = Array.from({ length: 12 }, (_, index) => `${prefix}/${index}`);
      const connected = await Promise.all(
        names.map((clientId) => broker.connect({ version: 5, clientId, properties: { sessionExpiryInterval: 600 } })),
      );
      await connected[0]!.disconnect();
      const found: string[] = [];
      let cursor = "";
      for (let pages = 0; pages < 100; pages += 1) {
        const { body } = await call(broker, `/clients?limit=5&like_clientid=${encodeURIComponent(prefix)}${cursor}`);
        const { data, meta } = body as { data: { clientid: string }[]; meta: { hasnext: boolean; cursor?: string } };
        found.push(...data.map(({ clientid }) => clientid));
        if (!meta.hasnext) break;
        cursor = `&cursor=${encodeURIComponent(meta.cursor!)}`;
      }
      expect(found.sort()).toEqual([...names].sort());
      const one = (clientId: string, ask?: Ask): Promise<Answer> => call(broker, `/clients/${encodeURIComponent(clientId)}`, ask);
      expect(await one(names[1]!)).toEqual({
        status: 200,
        body: {
          clientid: names[1],
          username: null,
          ip_address: expect.toSatisfy((address: unknown) => address === null || typeof address === "string"),
          connected: true,
          connected_at: expect.stringMatching(/^\d{4}-.*Z$/),
          proto_name: "MQTT",
          proto_ver: 5,
          keepalive: 0,
          expiry_interval: 600,
          subscriptions_cnt: 0,
          inflight_cnt: 0,
          mqueue_len: 0,
          awaiting_rel_cnt: 0,
        },
      });
      expect((await one(names[0]!)).body).toMatchObject({ connected: false, expires_at: expect.stringMatching(/^\d{4}-/) });
      expect((await call(broker, `/clients?clientid=${encodeURIComponent(names[0]!)}&conn_state=connected`)).body).toMatchObject({
        data: [],
      });
      expect((await one(`${prefix}/none`)).status).toBe(404);
      expect((await one(names[1]!, { method: "DELETE" })).status).toBe(204);
      expect((await connected[1]!.expect(DISCONNECT)).reasonCode).toBe(0x98);
      expect(await one(names[1]!, { method: "DELETE" })).toEqual({ status: 404, body: refused("CLIENTID_NOT_FOUND") });
      expect((await call(broker, "/clients/kickout/bulk", { body: names.slice(2) })).status).toBe(204);
      for (const client of connected.slice(2)) expect((await client.expect(DISCONNECT)).reasonCode).toBe(0x98);
      for (const body of [{}, [1], Array.from({ length: 41 }, () => "c")])
        expect((await call(broker, "/clients/kickout/bulk", { body })).status).toBe(400);
      for (const query of ["limit=0", "limit=1001", "cursor=x", "page=2"])
        expect((await call(broker, `/clients?${query}`)).status).toBe(400);
    });
  });

  test("what is not kept is not told", async () => {
    expect(await call(broker, "/monitor")).toEqual({ status: 404, body: refused("NOT_FOUND", expect.stringContaining("MONITOR")) });
    expect(await call(broker, "/usage")).toEqual({ status: 404, body: refused("NOT_FOUND", expect.stringContaining("MONITOR")) });
    expect((await call(broker, "/monitor_current")).body).not.toHaveProperty("received_msg_rate");
  });

  describe("retained messages", () => {
    test("are listed by a filter page by page, read and deleted", async () => {
      const prefix = unique("r");
      const many = Array.from({ length: 70 }, (_, index) => ({ topic: `${prefix}/${index}`, payload: `${index}`, qos: 1, retain: true }));
      await call(broker, "/publish/bulk", { body: many });
      const found: string[] = [];
      let cursor = "";
      for (let pages = 0; pages < 100; pages += 1) {
        const { body } = await call(broker, `/mqtt/retainer/messages?topic=${encodeURIComponent(`${prefix}/+`)}${cursor}`);
        const { data, meta } = body as { data: { topic: string }[]; meta: { hasnext: boolean; cursor?: string } };
        found.push(...data.map(({ topic }) => topic));
        if (!meta.hasnext) break;
        cursor = `&cursor=${encodeURIComponent(meta.cursor!)}`;
      }
      expect(found.sort()).toEqual(many.map(({ topic }) => topic).sort());
      const path = `/mqtt/retainer/message/${encodeURIComponent(`${prefix}/7`)}`;
      expect((await call(broker, path)).body).toMatchObject({ topic: `${prefix}/7`, payload: btoa("7"), payload_size: 1, qos: 1 });
      expect((await call(broker, path, { method: "DELETE" })).status).toBe(204);
      for (const method of ["GET", "DELETE"]) expect((await call(broker, path, { method })).status).toBe(404);
      for (const query of ["topic=a/%23/b", "cursor=x"]) expect((await call(broker, `/mqtt/retainer/messages?${query}`)).status).toBe(400);
      expect((await call(broker, "/mqtt/retainer/message/a%2F%23")).status).toBe(400);
    });
  });

  describe("subscribe", () => {
    async function* events(path: string, token = TOKENS.read): ReturnType<typeof eventsOf> {
      const response = await fetch(`${broker.url}/api/v5/subscribe?${path}`, { headers: { Authorization: `Bearer ${token}` } });
      expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream; charset=utf-8"]);
      yield* eventsOf(response);
    }

    test.each([0, 1, 2] as const)("streams what is retained, then what comes, of several filters, at QoS %i", async (qos) => {
      const [one, two] = [unique("one"), unique("two")];
      await call(broker, "/publish", { body: { topic: `${one}/kept`, payload: "line\nbreak", qos: 1, retain: true } });
      const stream = events(`filter=${one}/%2B&filter=${two}&qos=${qos}`);
      expect(await stream.next()).toMatchObject({ value: { event: "comment" } });
      expect((await stream.next()).value).toEqual({
        event: "message",
        data: {
          topic: `${one}/kept`,
          payload: "line\nbreak",
          payload_encoding: "plain",
          qos: Math.min(qos, 1),
          retain: true,
          properties: {},
        },
      });
      for (let index = 0; index < 50; index += 1) await call(broker, "/publish", { body: { topic: two, payload: `${index}`, qos } });
      for (let index = 0; index < 50; index += 1) expect((await stream.next()).value!.data.payload).toBe(`${index}`);
      await stream.return(undefined);
    });

    /** The client of the broker that a stream has. */
    async function clientsOfStreams(): Promise<readonly string[]> {
      const { body } = await call(broker, "/clients?like_clientid=service-&conn_state=connected&limit=1000");
      return (body as { data: { clientid: string }[] }).data.map(({ clientid }) => clientid);
    }

    /** A stream, and the client that it has. */
    async function open(query: string): Promise<{ stream: ReturnType<typeof events>; clientId: string }> {
      const others = await clientsOfStreams();
      const stream = events(query);
      await stream.next();
      return { stream, clientId: (await clientsOfStreams()).find((each) => !others.includes(each))! };
    }

    test("ends its session when whoever reads it has gone, and something is to be written", async () => {
      const topic = unique("t");
      const { stream, clientId } = await open(`filter=${topic}`);
      await stream.return(undefined);
      await vi.waitFor(
        async () => {
          await call(broker, "/publish", { body: { topic, payload: "" } });
          expect(await clientsOfStreams()).not.toContain(clientId);
        },
        { timeout: 10_000 },
      );
    });

    test("a reader who is slow costs nobody else anything: what is more than waits for him at QoS 0 is dropped, and he is told how many", async () => {
      const topic = unique("t");
      const { stream } = await open(`filter=${topic}`);
      const count = 120;
      const payload = "x".repeat(500_000);
      for (let sent = 0; sent < count; sent += 6)
        await call(broker, "/publish/bulk", { body: Array.from({ length: 6 }, () => ({ topic, payload })) });
      // What was dropped is told as soon as he reads on; then come those that waited, and what is new.
      let event = "";
      let data: Record<string, unknown> = {};
      for (let read = 0; event !== "dropped" && read < count; read += 1) {
        await call(broker, "/publish", { body: { topic, payload: "small" } });
        ({ event, data } = (await stream.next()).value!);
      }
      expect([event, Number(data.count) > 0]).toEqual(["dropped", true]);
      for (let read = 0; data.payload !== "small" && read < count; read += 1) ({ data } = (await stream.next()).value!);
      expect(data.payload).toBe("small");
      await stream.return(undefined);
    });

    test("goes on when its connection is ended, whoever else says its Client Identifier, and says what is wrong", async () => {
      const topic = unique("t");
      const { stream, clientId } = await open(`filter=${topic}&qos=1&retained=false`);
      expect((await call(broker, `/clients/${clientId}`, { method: "DELETE" })).status).toBe(204);
      await call(broker, "/publish", { body: { topic, payload: "still here", qos: 1 } });
      expect((await stream.next()).value!.data.payload).toBe("still here");
      const other = await broker.open({ clientId });
      expect((await other.connect({ version: 5, clientId })).reasonCode).toBe(0x85);
      await call(broker, "/publish", { body: { topic, payload: "and now", qos: 1 } });
      expect((await stream.next()).value!.data.payload).toBe("and now");
      await stream.return(undefined);
      for (const query of ["", "filter=a/%23/b", "filter=a&qos=3", "filter=a&retained=1"])
        expect(await call(broker, `/subscribe?${query}`)).toEqual({ status: 400, body: refused("BAD_REQUEST") });
      expect((await call(broker, "/subscribe?filter=a", { token: TOKENS.publish })).status).toBe(403);
    });
  });

  test("a path that is none, and a method that is none, are told so", async () => {
    expect(await call(broker, "/nothing")).toEqual({ status: 404, body: refused("NOT_FOUND") });
    for (const [path, method, known] of [
      ["/publish", "GET", "POST"],
      ["/clients", "DELETE", "GET"],
      ["/clients/c", "POST", "GET and DELETE"],
    ] as const)
      expect(await call(broker, path, { method })).toEqual({
        status: 405,
        body: refused("METHOD_NOT_ALLOWED", `This path of the API knows ${known}.`),
      });
  });
}, API_ENV);
