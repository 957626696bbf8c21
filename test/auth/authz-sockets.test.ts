/** Subscriptions that an HTTP service is asked about, over real sockets: what it says holds, and waiting for it harms nobody else. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { CONNACK, type Connack, PUBACK, PUBLISH, SUBACK, SUBSCRIBE } from "../../src/mqtt/packet.ts";
import type { Shape } from "../support/brokers.ts";
import { type HookService, startHookService } from "../support/hook-service.ts";
import { type ConnectOptions, connectPacket, MqttTestClient, publishPacket, request, textOf, unique } from "../support/mqtt-client.ts";

const TIMEOUT_MS = 500;

/** Filters about which somebody has changed his mind. */
const denied = new Set<string>();
let held: (() => void)[] | undefined;
let questionCame = (): void => {};

const service = await startHookService();
const usual: HookService["instead"] = (incoming, response) => {
  const { topic = "", action } = service.asked.at(-1)!.body;
  // Of one's own answers nothing is remembered here.
  const answer = (): void => {
    const isAllowed = incoming.url!.endsWith("/authz") && action === "subscribe" && topic.startsWith("open/") && !denied.has(topic);
    response.end(JSON.stringify({ result: isAllowed ? "allow" : topic.startsWith("other/") ? "ignore" : "deny" }));
  };
  if (held === undefined) answer();
  else {
    held.push(answer);
    questionCame();
  }
};
service.instead = usual;

/** As mosquitto-go-auth asks. */
const goAuth = await startHookService();
goAuth.instead = (incoming, response) => {
  const { username, topic, acc } = goAuth.asked.at(-1)!.body as Record<string, unknown>;
  const path = incoming.url!.split("/").at(-1);
  const isYes = path === "user" || (path === "superuser" && username === "root") || (path === "acl" && topic === "open/a" && acc === 4);
  response.writeHead(isYes ? 200 : 403).end();
};

const ACL = JSON.stringify([
  { permission: "allow", action: "all", topic: "own/${clientid}/#" },
  { permission: "allow", action: "publish", topic: "open/#" },
  { permission: "deny", action: "subscribe", topic: "open/closed" },
]);

const brokers = new Map<Shape, Broker>();
const goBrokers = new Map<Shape, Broker>();
beforeAll(async () => {
  const ENV = { ALLOW_ANONYMOUS: "true", ACL, HTTP_AUTH_TIMEOUT_MS: String(TIMEOUT_MS), SESSION_EXPIRY_SECONDS_V3: "3600" };
  const start = (env: object): Promise<Broker> => startBroker({ env: { ...ENV, ...env }, log: () => {} });
  const http = { HTTP_AUTHZ_URL: service.url.replace("/auth", "/authz") };
  const go = { HTTP_AUTH_URL: goAuth.url, HTTP_AUTH_PRESET: "go-auth", ALLOW_ANONYMOUS: "false" };
  for (const [map, env] of [
    [brokers, http],
    [goBrokers, go],
  ] as const) {
    const [compact, sharded] = await Promise.all([start({ ...env, TOPOLOGY: "compact" }), start({ ...env, TOPOLOGY: "sharded" })]);
    map.set("compact", compact).set("sharded", sharded).set("handed over", sharded);
  }
});
afterEach(() => {
  service.instead = usual;
  service.asked.length = 0;
  denied.clear();
  for (const answer of held ?? []) answer();
  held = undefined;
});
afterAll(async () => {
  service.close();
  goAuth.close();
  await Promise.all([...new Set([...brokers.values(), ...goBrokers.values()])].map((broker) => broker.dispose()));
});

async function login(shape: Shape, options: ConnectOptions = {}, of = brokers): Promise<{ client: MqttTestClient; connack: Connack }> {
  const { clientId = unique("c") } = options;
  const client = await MqttTestClient.open(of.get(shape)!.mqttUrl + (shape === "handed over" ? `?clientId=${clientId}` : ""));
  client.send(connectPacket({ ...options, clientId }));
  return { client, connack: await client.expect(CONNACK) };
}

/** Holds questions back from now on. @returns what gives the first one its answer, once it has come */
async function firstQuestion(send: () => void): Promise<() => void> {
  held = [];
  const come = new Promise<void>((resolve) => {
    questionCame = resolve;
  });
  send();
  await come;
  return held[0]!;
}

describe.each(["compact", "sharded", "handed over"] as const)("%s", (shape) => {
  test.each([4, 5] as const)("version %i: rules decide without a question, the service the rest, nobody nothing", async (version) => {
    const clientId = unique("c");
    const { client } = await login(shape, { version, clientId });
    const filters = [`own/${clientId}/#`, "open/closed", "open/a", "open/#", "other/a", "closed/a", `$share/g/open/${clientId}`, "$SYS/#"];
    const { reasonCodes } = await client.subscribe(filters.map((filter) => request(filter, 1)));
    const no = version === 5 ? 0x87 : 0x80;
    // A rule denies a part of `open/#`.
    expect(reasonCodes).toEqual([1, no, 1, no, no, no, 1, no]);
    const asked = service.asked.map(({ path, body }) => [path, body.clientid, body.action, body.topic, body.qos]);
    expect(asked.sort()).toEqual(
      ["closed/a", "open/a", `open/${clientId}`, "other/a"].map((topic) => ["/mqtt/authz", clientId, "subscribe", topic, "1"]).sort(),
    );
    await client.publish("open/a", "hello", { qos: 1 });
    expect(textOf(await client.message())).toBe("hello");
    client.terminate();
  });

  test("what comes behind a SUBSCRIBE that waits comes behind it; other clients do not wait", async () => {
    const { client } = await login(shape, { version: 5 });
    const otherId = unique("other");
    const { client: other } = await login(shape, { version: 5, clientId: otherId });
    const topic = `open/${unique()}`;
    const answer = await firstQuestion(() => {
      client.sendTogether(
        { type: SUBSCRIBE, packetId: 7, subscriptions: [request(topic, 1)], properties: {} },
        publishPacket(topic, "1", { qos: 1, packetId: 8 }),
      );
      client.send(publishPacket(topic, "2", { qos: 1, packetId: 9 }));
    });
    await other.subscribe(`own/${otherId}/a`);
    for (let i = 0; i < 5; i += 1) await other.publish(`own/${otherId}/a`, "x", { qos: 1 });
    expect((await other.messages(5)).length).toBe(5);
    expect(client.arrived.filter(({ type }) => type !== CONNACK)).toEqual([]);
    answer();
    const order = [];
    for (let i = 0; i < 5; i += 1) {
      const packet = await client.next();
      order.push(packet.type === PUBLISH ? textOf(packet) : packet.type === SUBACK ? "SUBACK" : packet.type === PUBACK ? "PUBACK" : "?");
    }
    expect(order).toContain("SUBACK");
    // The message may come before SUBACK, but it comes, though it was sent with the SUBSCRIBE.
    expect(order).toContain("1");
    expect(order.indexOf("1")).toBeLessThan(order.indexOf("2"));
    expect(order.filter((each) => each === "PUBACK").length).toBe(2);
    for (const each of [client, other]) each.terminate();
  });

  test("a client that leaves while it waits has published what it sent before", async () => {
    const { client: listener } = await login(shape, { version: 5 });
    const { client } = await login(shape, { version: 5 });
    const topic = `open/${unique()}`;
    await listener.subscribe(topic);
    await firstQuestion(() => {
      client.sendTogether(
        { type: SUBSCRIBE, packetId: 7, subscriptions: [request("open/b")], properties: {} },
        publishPacket(topic, "farewell"),
      );
    });
    client.terminate();
    expect(textOf(await listener.message())).toBe("farewell");
    listener.terminate();
  });

  test("a service that does not answer: refused in time, connection and subscriptions stay", async () => {
    const { client } = await login(shape, { version: 5 });
    const topic = `open/${unique()}`;
    await client.subscribe(topic);
    for (const instead of [() => {}, (_incoming: unknown, response: { destroy(): void }) => response.destroy()]) {
      service.instead = instead as HookService["instead"];
      expect((await client.subscribe([request(topic, 2), request("open/new")])).reasonCodes).toEqual([0x87, 0x87]);
      await client.publish(topic, "still here", { qos: 1 });
      expect(textOf(await client.message())).toBe("still here");
    }
    client.terminate();
    service.instead = usual;
  });

  test.each([4, 5] as const)(
    "version %i: a session is resumed with what it may still have, and not at all while nobody can say",
    async (version) => {
      const clientId = unique("kept");
      const kept: ConnectOptions = {
        version,
        clientId,
        clean: false,
        ...(version === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {}),
      };
      const [one, two] = [`open/${unique()}`, `open/${unique()}`];
      const { client: first } = await login(shape, kept);
      await first.subscribe([request(one, 1), request(two, 1)]);
      first.terminate();
      await first.closed;
      const { client: publisher } = await login(shape, { version: 5, clientId: unique("p") });
      await publisher.publish(two, "waited, denied", { qos: 1 });
      await publisher.publish(one, "waited, allowed", { qos: 1 });
      denied.add(two);
      service.instead = (_incoming, response) => response.writeHead(500).end();
      const { client: refused, connack } = await login(shape, kept);
      expect(connack.reasonCode).toBe(version === 5 ? 0x88 : 3);
      await refused.closed;
      service.instead = usual;
      const { client: second, connack: resumed } = await login(shape, kept);
      expect([resumed.reasonCode, resumed.sessionPresent]).toEqual([0, true]);
      await publisher.publish(two, "denied", { qos: 1 });
      await publisher.publish(one, "allowed", { qos: 1 });
      expect([textOf(await second.message()), textOf(await second.message())]).toEqual(["waited, allowed", "allowed"]);
      for (const each of [second, publisher]) each.terminate();
    },
  );

  test("go-auth: acl is asked with acc 4, and not for a superuser", async () => {
    goAuth.asked.length = 0;
    const { client } = await login(shape, { version: 5, userName: "ada", password: "x" }, goBrokers);
    expect((await client.subscribe([request("open/a"), request("open/b")])).reasonCodes).toEqual([0, 0x87]);
    expect(
      goAuth.asked
        .filter(({ path }) => path.endsWith("/acl"))
        .map(({ body }) => body)
        .sort((a, b) => (a.topic! < b.topic! ? -1 : 1)),
    ).toEqual(["open/a", "open/b"].map((topic) => ({ username: "ada", clientid: expect.any(String), topic, acc: 4 })));
    goAuth.asked.length = 0;
    const { client: root } = await login(shape, { version: 5, userName: "root", password: "x" }, goBrokers);
    expect((await root.subscribe([request("open/b")])).reasonCodes).toEqual([0]);
    expect(goAuth.asked.filter(({ path }) => path.endsWith("/acl"))).toEqual([]);
    for (const each of [client, root]) each.terminate();
  });
});
