/** Authentication by an HTTP service over real sockets: who is let in and with which rights; what a service that is down, slow or lies does to whom. */

import { once } from "node:events";
import { createServer } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { HOOK_CALLS_MAX } from "../../src/login-limits.ts";
import { CONNACK, type Connack, DISCONNECT, type ProtocolVersion } from "../../src/mqtt/packet.ts";
import type { Shape } from "../support/brokers.ts";
import { startHookService } from "../support/hook-service.ts";
import { type ConnectOptions, connectPacket, MqttTestClient, publishPacket, textOf, unique } from "../support/mqtt-client.ts";

const TIMEOUT_MS = 500;
const VERSIONS = [4, 5] as const;
const PASSWORD = unique("planted");

const service = await startHookService({
  ada: {
    password: PASSWORD,
    answer: {
      client_attrs: { site: "s1" },
      acl: [
        { permission: "deny", action: "all", topic: "t/${client_attrs.site}/closed" },
        { permission: "allow", action: "all", topic: "t/${client_attrs.site}/#" },
        { permission: "allow", action: "publish", topic: "c/${clientid}", qos: [1] },
      ],
    },
  },
  root: { password: PASSWORD, answer: { is_superuser: true } },
  nobody: { password: PASSWORD },
});
/** Where a redirect leads: nobody may ever ask here. */
const trap = await startHookService({ ada: { password: PASSWORD } });
trap.instead = (_request, response) => response.writeHead(204).end();

const lines: string[] = [];
/** All that clients are told. */
const said: string[] = [];
const brokers = new Map<Shape, Broker>();
beforeAll(async () => {
  const ENV = {
    ALLOW_ANONYMOUS: "false",
    HTTP_AUTH_URL: service.url,
    HTTP_AUTH_TIMEOUT_MS: String(TIMEOUT_MS),
    HTTP_AUTH_HEADERS: '{"authorization":"Bearer of-the-service-secret"}',
    ADDRESS_LOGIN_FAILURE_RATE: "unlimited",
  };
  const start = (TOPOLOGY: string): Promise<Broker> =>
    startBroker({ env: { ...ENV, TOPOLOGY }, trustsAddresses: true, log: (line) => void lines.push(line) });
  const [compact, sharded] = await Promise.all([start("compact"), start("sharded")]);
  brokers.set("compact", compact).set("sharded", sharded).set("handed over", sharded);
});
afterEach(() => {
  service.instead = undefined;
  service.asked.length = 0;
});
afterAll(async () => {
  service.close();
  trap.close();
  await Promise.all([...new Set(brokers.values())].map((broker) => broker.dispose()));
});

interface Login {
  readonly client: MqttTestClient;
  readonly connack: Connack;
}

async function login(shape: Shape, options: ConnectOptions): Promise<Login> {
  const { clientId = unique("c") } = options;
  const query = shape === "handed over" ? `?clientId=${clientId}` : "";
  const client = await MqttTestClient.open(brokers.get(shape)!.mqttUrl + query);
  client.send(connectPacket({ ...options, clientId }));
  const connack = await client.expect(CONNACK);
  said.push(JSON.stringify(connack));
  void client.closed.then(({ reason }) => said.push(reason));
  return { client, connack };
}

const denied = (version: ProtocolVersion): number => (version === 5 ? 0x87 : 5);
const unknown = (version: ProtocolVersion): number => (version === 5 ? 0x86 : 4);
const unavailable = (version: ProtocolVersion): number => (version === 5 ? 0x88 : 3);

describe.each(["compact", "sharded", "handed over"] as const)("%s", (shape) => {
  test.each(VERSIONS)("version %i: right, wrong and unknown; rights come with the answer", async (version) => {
    const clientId = unique("c");
    const { client, connack } = await login(shape, { version, clientId, userName: "ada", password: PASSWORD });
    expect(connack.reasonCode).toBe(0);
    expect(service.asked).toEqual([
      { path: "/mqtt/auth", body: { clientid: clientId, username: "ada", password: PASSWORD, peerhost: expect.any(String) } },
    ]);
    const codes = [];
    for (const filter of ["t/s1/#", "t/s1/open", "t/s1/closed", "t/s2", "c/+"])
      codes.push((await client.subscribe(filter)).reasonCodes[0]! < 3);
    expect(codes).toEqual([false, true, false, false, false]);
    await client.publish("t/s1/open", "x", { qos: 1 });
    expect(textOf(await client.message())).toBe("x");
    client.terminate();
    for (const [userName, password, wanted] of [
      ["ada", `${PASSWORD}.`, denied(version)],
      ["eve", PASSWORD, unknown(version)],
      [undefined, undefined, unknown(version)],
    ] as const) {
      const refused = await login(shape, { version, userName, password });
      expect([userName, refused.connack.reasonCode]).toEqual([userName, wanted]);
      await refused.client.closed;
    }
    const root = await login(shape, { version, userName: "root", password: PASSWORD });
    expect((await root.client.subscribe("#")).reasonCodes).toEqual([0]);
    root.client.terminate();
    const nobody = await login(shape, { version, userName: "nobody", password: PASSWORD });
    expect((await nobody.client.subscribe("a")).reasonCodes[0]).toBeGreaterThanOrEqual(0x80);
    nobody.client.terminate();
  });

  test("another client ID, and an end that comes", async () => {
    const ends = VERSIONS.map(async (version) => {
      const clientId = unique("given");
      const userName = unique("guest");
      const acl = [{ permission: "allow", action: "subscribe", topic: "c/${clientid}" }];
      const expires = Math.floor(Date.now() / 1000) + 2;
      service.users.set(userName, { password: PASSWORD, answer: { clientid_override: clientId, expire_at: expires, acl } });
      const { client, connack } = await login(shape, { version, userName, password: PASSWORD });
      if (shape === "handed over") {
        // The URL has chosen the object by another Client Identifier.
        expect(connack.reasonCode).toBe(version === 5 ? 0x85 : 2);
        return;
      }
      expect(connack.reasonCode).toBe(0);
      expect((await client.subscribe(`c/${clientId}`)).reasonCodes).toEqual([0]);
      if (version === 5) expect((await client.expect(DISCONNECT)).reasonCode).toBe(0x87);
      await client.closed;
      expect(Date.now()).toBeGreaterThanOrEqual(expires * 1000);
    });
    await Promise.all(ends);
  });

  const LIES: [string, (url: string) => import("node:http").RequestListener][] = [
    ["bad JSON", () => (_request, response) => response.end('{"result":"allow"')],
    ["a huge answer", () => (_request, response) => response.end(`{"result":"allow","x":"${"x".repeat(1 << 20)}"}`)],
    ["500", () => (_request, response) => response.writeHead(500).end('{"result":"allow"}')],
    ["a redirect", (url) => (_request, response) => response.writeHead(307, { location: url }).end()],
    ["wrong types", () => (_request, response) => response.end('{"result":"allow","is_superuser":"yes"}')],
    ["a bad rule", () => (_request, response) => response.end('{"result":"allow","acl":[{"permission":"allow","topic":"#"}]}')],
    ["milliseconds", () => (_request, response) => response.end(`{"result":"allow","expire_at":${Date.now() + 60_000}}`)],
  ];
  test.each(LIES)("a service that lies lets nobody in: %s", async (_what, listener) => {
    service.instead = listener(trap.url);
    for (const version of VERSIONS) {
      const { client, connack } = await login(shape, { version, userName: "ada", password: PASSWORD });
      expect(connack.reasonCode).toBe(unavailable(version));
      await client.closed;
    }
    expect(trap.asked).toEqual([]);
  });

  test("a time that has passed lets nobody in", async () => {
    service.instead = (_request, response) => response.end('{"result":"allow","expire_at":1000000000}');
    for (const version of VERSIONS) {
      const { client, connack } = await login(shape, { version, userName: "ada", password: PASSWORD });
      expect(connack.reasonCode).toBe(denied(version));
      await client.closed;
    }
  });

  test("a slow service: who asks is refused in time, the others are served meanwhile", async () => {
    const { client } = await login(shape, { version: 5, userName: "root", password: PASSWORD });
    service.instead = (_request, response) => response.write("{");
    const since = Date.now();
    const slow = VERSIONS.map((version) => login(shape, { version, userName: "ada", password: PASSWORD }));
    await client.subscribe("a/b");
    await client.publish("a/b", "still served", { qos: 1 });
    expect(textOf(await client.message())).toBe("still served");
    const answered = await Promise.all(slow);
    expect(answered.map(({ connack }) => connack.reasonCode)).toEqual(VERSIONS.map(unavailable));
    expect(Date.now() - since).toBeGreaterThanOrEqual(TIMEOUT_MS - 10);
    client.terminate();
  });

  test("clients that leave while it is slow hold no places", async () => {
    let came = (): void => {};
    const all = new Promise<void>((resolve) => {
      came = resolve;
    });
    service.instead = () => void (service.asked.length === HOOK_CALLS_MAX && came());
    const leaving = await Promise.all(
      Array.from({ length: HOOK_CALLS_MAX + 8 }, async () => {
        const clientId = unique("c");
        const client = await MqttTestClient.open(brokers.get(shape)!.mqttUrl + (shape === "handed over" ? `?clientId=${clientId}` : ""));
        client.send(connectPacket({ clientId, userName: "ada", password: PASSWORD }));
        return client;
      }),
    );
    await all;
    for (const client of leaving) client.terminate();
    service.instead = undefined;
    const { client, connack } = await login(shape, { userName: "ada", password: PASSWORD });
    expect(connack.reasonCode).toBe(0);
    client.terminate();
  });
});

test("nothing of a password or of the secret of the service is in the log, nor in what clients are told", () => {
  expect(lines.filter((line) => line.includes("HTTP_AUTH_URL is no help")).length).toBeGreaterThan(5);
  expect(said.filter((text) => text.includes("does not let this client in")).length).toBeGreaterThan(5);
  const output = [...lines, ...said].join("\n");
  for (const secret of [PASSWORD, "of-the-service-secret", "of-the-service"]) expect(output.includes(secret)).toBe(false);
});

test("a service that goes down: who is connected stays, who comes is told to come again, and is let in when it is back", async () => {
  const down = await startHookService({ ada: { password: PASSWORD, answer: { is_superuser: true } } });
  const { port } = new URL(down.url);
  const ENV = { ALLOW_ANONYMOUS: "false", HTTP_AUTH_URL: down.url, HTTP_AUTH_TIMEOUT_MS: "500" };
  const start = (TOPOLOGY: string): Promise<Broker> => startBroker({ env: { ...ENV, TOPOLOGY }, log: () => {} });
  const [compact, sharded] = await Promise.all([start("compact"), start("sharded")]);
  const before = new Map(brokers);
  brokers.set("compact", compact).set("sharded", sharded).set("handed over", sharded);
  const shapes = [...brokers.keys()];
  const ada = { userName: "ada", password: PASSWORD };
  try {
    const connected = await Promise.all(shapes.map((shape) => login(shape, { version: 5, ...ada })));
    down.close();
    for (const shape of shapes) {
      for (const version of VERSIONS) {
        const { client: late, connack } = await login(shape, { version, ...ada });
        expect([shape, connack.reasonCode]).toEqual([shape, unavailable(version)]);
        await late.closed;
      }
    }
    for (const { client } of connected) {
      const topic = unique();
      await client.subscribe(topic);
      client.send(publishPacket(topic, "still here"));
      expect(textOf(await client.message())).toBe("still here");
      client.terminate();
    }
    const again = createServer((_request, response) => void response.writeHead(204).end()).listen(Number(port), "127.0.0.1");
    await once(again, "listening");
    for (const shape of shapes) {
      for (const version of VERSIONS) {
        const { client: back, connack } = await login(shape, { version, ...ada });
        expect([shape, connack.reasonCode]).toEqual([shape, 0]);
        back.terminate();
      }
    }
    again.closeAllConnections();
    again.close();
  } finally {
    for (const [shape, broker] of before) brokers.set(shape, broker);
    await Promise.all([compact, sharded].map((broker) => broker.dispose()));
  }
});
