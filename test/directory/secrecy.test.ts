/**
 * No password, hash, key or token of the directory in anything that the broker says, on every way to a Session object: they are planted
 * wherever one may be, right and wrong, then all output is searched, of the log, of packets, of close reasons and of HTTP.
 */

import { afterAll, beforeAll, expect, test } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { API_BODY_BYTES_MAX } from "../../src/login-limits.ts";
import { AUTH, CONNACK, type Packet } from "../../src/mqtt/packet.ts";
import { quickHash } from "../auth/support.ts";
import { USERS } from "../support/admin-api.ts";
import { auth, CONTINUE, REAUTHENTICATE } from "../support/auth-packets.ts";
import { connectPacket, MqttTestClient, publishPacket, unique } from "../support/mqtt-client.ts";
import { SCRAM_SHA_256, ScramClient } from "../support/scram-client.ts";

const lines: string[] = [];
/** All that clients and operators are told. */
const said: string[] = [];
/** What nobody may find in that. */
const planted = new Set<string>();

/** A secret of its own, to be found by any twelve of its characters. */
function secret(): string {
  const text = `${crypto.randomUUID()}${crypto.randomUUID()}`.replaceAll("-", "");
  planted.add(text);
  return text;
}

const [ADMIN_TOKEN, NAMESPACE_TOKEN, METRICS_TOKEN] = [secret(), secret(), secret()];

const ENV = {
  ADMIN_TOKEN,
  METRICS_TOKEN,
  NAMESPACE_ADMIN_TOKENS: `acme:${NAMESPACE_TOKEN}`,
  NAMESPACES: "default,acme",
  PACKET_BYTES_MAX: "65536",
  ADDRESS_LOGIN_FAILURE_RATE: "40/1h",
  FLAPPING: "3/1m/1m",
};
const SHAPES = ["compact", "sharded", "handed over"] as const;
const brokers = new Map<string, Broker>();
beforeAll(async () => {
  for (const TOPOLOGY of ["compact", "sharded"])
    brokers.set(TOPOLOGY, await startBroker({ env: { ...ENV, TOPOLOGY }, log: (line) => void lines.push(line) }));
});
afterAll(async () => {
  for (const broker of brokers.values()) await broker.dispose();
});

async function asks(
  url: string,
  { method = "GET", token = ADMIN_TOKEN, body }: { method?: string; token?: string; body?: unknown } = {},
): Promise<number> {
  const text = body === undefined || typeof body === "string" ? (body ?? null) : JSON.stringify(body);
  const response = await fetch(url, { method, headers: { Authorization: `Bearer ${token}` }, body: text });
  said.push(await response.text(), JSON.stringify([...response.headers]));
  return response.status;
}

/** What an operator does with the directory, in every way that is right or wrong. */
async function administer(url: string, user: string, right: string): Promise<void> {
  const path = `${url}/api/v5${USERS}`;
  const hash = await quickHash(secret());
  for (const piece of hash.split("$").slice(2)) planted.add(piece);
  const rights = { publish: ["#"], subscribe: ["#"] };
  const post = (to: string, body: unknown, more = {}): Promise<number> => asks(to, { method: "POST", body, ...more });
  expect(await post(path, { user_id: user, password: right, ...rights })).toBe(201);
  expect(await post(path, { user_id: user, password: secret() })).toBe(409);
  expect(await post(path, { user_id: unique("h"), password_hash: hash })).toBe(201);
  for (const body of [
    { user_id: "x", password_hash: secret() },
    { user_id: "x", password: secret(), [secret().slice(0, 11)]: 1 },
    { user_id: "x", password: { text: secret() } },
    { user_id: "x", password: secret(), password_hash: secret() },
    { user_id: "x".repeat(70_000), password: secret() },
    `{"user_id":"x","password":"${secret()}`,
    `${secret()}${" ".repeat(API_BODY_BYTES_MAX)}`,
  ])
    expect(await post(path, body)).toBeGreaterThanOrEqual(400);
  await post(path, { user_id: unique("long"), password: secret().repeat(2_000) });
  await post(`${path}/import`, [
    { user_id: unique("i"), password_hash: hash },
    { user_id: unique("i"), password_hash: `${hash}x` },
  ]);
  await post(`${path}/import`, [{ user_id: unique("i"), password: secret() }]);
  await asks(`${path}/${user}`, { method: "PUT", body: { password: right, ...rights } });
  for (const to of [path, `${path}/${user}`, `${path}?limit=1000`, `${path}?limit=${secret().slice(0, 5)}`, `${url}/api/v5/banned`])
    await asks(to);
  await post(`${url}/api/v5/banned`, { as: "username", who: "somebody", token: secret() });
  for (const token of [secret(), `${ADMIN_TOKEN}x`, NAMESPACE_TOKEN]) {
    expect(await asks(path, { token })).toBe(401);
    await asks(`${url}/metrics`, { token });
  }
  expect(await asks(`${path}?namespace=acme`, { token: NAMESPACE_TOKEN })).toBe(200);
  for (const [to, token] of [
    ["/metrics", METRICS_TOKEN],
    ["/", ADMIN_TOKEN],
    ["/health", ADMIN_TOKEN],
    ["/nothing", ADMIN_TOKEN],
    ["/api/v5/nothing", ADMIN_TOKEN],
    [`/mqtt?token=${secret()}`, ADMIN_TOKEN],
    [`/api/v5/banned?token=${secret()}&namespace=${secret()}`, ADMIN_TOKEN],
  ] as const)
    await asks(`${url}${to}`, { token });
}

/** All that a client was told until it is over. */
async function end(client: MqttTestClient): Promise<void> {
  const { reason } = await client.closed;
  said.push(reason, ...client.arrived.map((packet: Packet) => JSON.stringify(packet)));
}

/** What makes a line in the log, and ends the connection. */
async function leave(client: MqttTestClient, isIn: boolean): Promise<void> {
  if (isIn) client.send(publishPacket("too/large", "x".repeat(70_000)));
  await end(client);
}

test.each(SHAPES)(
  "%s: passwords, hashes and tokens, right and wrong: nothing of them is said",
  async (shape) => {
    const broker = brokers.get(shape === "compact" ? "compact" : "sharded")!;
    const [user, right] = [unique("u"), secret()];
    await administer(broker.url, user, right);
    const open = (clientId: string): Promise<MqttTestClient> =>
      MqttTestClient.open(broker.mqttUrl + (shape === "handed over" ? `?clientId=${clientId}` : ""), { version: 5 });
    for (const version of [4, 5] as const) {
      for (const [userName, password] of [
        [user, right],
        [user, secret()],
        [unique("nobody"), secret()],
        [secret(), right],
        [user, ADMIN_TOKEN],
        [undefined, undefined],
      ] as const) {
        const clientId = unique("c");
        const client = await open(clientId);
        client.send(connectPacket({ version, clientId, userName, password }));
        await leave(client, (await client.expect(CONNACK)).reasonCode === 0);
      }
    }
    for (const [password, again] of [
      [right, right],
      [right, secret()],
      [secret(), ""],
    ] as const) {
      const clientId = unique("s");
      const client = await open(clientId);
      const scram = new ScramClient(user, password);
      const prove = async (by: ScramClient): Promise<void> =>
        client.send(auth(CONTINUE, await by.final((await client.expect(AUTH)).properties.authenticationData)));
      client.send(
        connectPacket({ version: 5, clientId, properties: { authenticationMethod: SCRAM_SHA_256, authenticationData: scram.first() } }),
      );
      await prove(scram);
      const isIn = (await client.expect(CONNACK)).reasonCode === 0;
      if (isIn) {
        const anew = new ScramClient(user, again);
        client.send(auth(REAUTHENTICATE, anew.first()));
        await prove(anew);
      }
      await leave(client, isIn && again === right);
    }
    // One that is thrown out: because it connects too often, by a ban, by another password, and for good.
    const often = unique("often");
    for (let count = 0; count < 5; count += 1) {
      const client = await open(often);
      client.send(connectPacket({ version: 5, clientId: often, userName: user, password: right }));
      await client.expect(CONNACK);
      client.terminate();
      await end(client);
    }
    const path = `${broker.url}/api/v5${USERS}/${user}`;
    for (const act of [
      () => asks(`${broker.url}/api/v5/banned`, { method: "POST", body: { as: "clientid", who: "banned", reason: "lost" } }),
      () =>
        asks(path, { method: "PUT", body: { password_hash: "" } }).then(() =>
          quickHash(secret()).then((hash) => asks(path, { method: "PUT", body: { password_hash: hash } })),
        ),
      () => asks(path, { method: "DELETE" }),
    ]) {
      const client = await open("banned");
      client.send(connectPacket({ version: 5, clientId: "banned", userName: user, password: right }));
      const isIn = (await client.expect(CONNACK)).reasonCode === 0;
      await act();
      if (isIn) await end(client);
      else client.terminate();
      await asks(`${broker.url}/api/v5/banned/clientid/banned`, { method: "DELETE" });
    }
    await asks(`${broker.url}/metrics`, { token: METRICS_TOKEN });
  },
  60_000,
);

/** All of its pieces of twelve characters. */
function piecesOf(text: string): string[] {
  return Array.from({ length: Math.max(0, text.length - 11) }, (_, at) => text.slice(at, at + 12));
}

test("what was looked at has something in it, and nothing that was planted", () => {
  expect([said.length > 200, planted.size > 60]).toEqual([true, true]);
  for (const event of ["packet too large", "client banned because it connects too often"])
    expect([event, lines.some((line) => line.includes(event))]).toEqual([event, true]);
  expect(lines.filter((line) => line.includes("a fault"))).toEqual([]);
  const pieces = new Set([...planted].flatMap(piecesOf));
  const output = [...lines, ...said].join("\n");
  expect(piecesOf(output).filter((piece) => pieces.has(piece))).toEqual([]);
  for (const text of [...planted].filter(({ length }) => length < 12)) expect(output).not.toContain(text);
  // In Base64 as well, as SCRAM and hashes have it.
  const encoded = [...planted].map((text) => Buffer.from(text).toString("base64").slice(0, 15));
  expect(encoded.filter((text) => output.includes(text))).toEqual([]);
});
