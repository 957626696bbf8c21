/** Where clients are, as the local broker finds it: the other end of the socket, and nothing that a client says. */

import { networkInterfaces } from "node:os";
import { afterAll, describe, expect, test } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { BAD_USER_NAME_OR_PASSWORD, CONNECTION_RATE_EXCEEDED, SUCCESS } from "../../src/mqtt/reason-code.ts";
import { quickHash } from "../auth/support.ts";
import { ADMIN_TOKEN, api } from "../support/admin-api.ts";
import { MqttTestClient, unique } from "../support/mqtt-client.ts";

const HERE = "127.0.0.1";
/** Another address of this machine: Linux has all of 127. */
const THERE =
  process.platform === "linux"
    ? "127.0.0.2"
    : Object.values(networkInterfaces())
        .flatMap((each) => each ?? [])
        .find(({ family, internal }) => family === "IPv4" && !internal)!.address;

const USERS = JSON.stringify(
  await Promise.all(
    ["ada", "bob", "eve"].map(async (user) => ({ user, password: await quickHash(user), publish: ["#"], subscribe: ["#"] })),
  ),
);

const brokers: Broker[] = [];
afterAll(async () => {
  for (const broker of brokers) await broker.dispose();
});

async function start(env: Record<string, string>, host = "0.0.0.0"): Promise<Broker> {
  const broker = await startBroker({ host, env: { USERS, ADMIN_TOKEN, ADDRESS_LOGIN_FAILURE_RATE: "2/1h", ...env } });
  brokers.push(broker);
  return broker;
}

describe.each([
  ["compact", "compact", false],
  ["relayed", "sharded", false],
  ["handed over", "sharded", true],
] as const)("%s", (_shape, TOPOLOGY, isHandedOver) => {
  test("who guesses passwords shuts out nobody elsewhere, and no header says that he is", async () => {
    const broker = await start({ TOPOLOGY });
    // Of one object, which counts where sockets are handed over.
    const clientId = unique("guesser");
    const login = async (localAddress: string, userName: string, password: string, headers = {}): Promise<number> => {
      const query = isHandedOver ? `?clientId=${clientId}` : "";
      const client = await MqttTestClient.open(broker.mqttUrl + query, { version: 5, localAddress, headers });
      const { reasonCode } = await client.connect({ version: 5, clientId, userName, password });
      client.terminate();
      await client.closed;
      return reasonCode;
    };
    for (let guess = 0; guess < 2; guess += 1) expect(await login(THERE, "eve", `${guess}`)).toBe(BAD_USER_NAME_OR_PASSWORD);
    const elsewhere = {
      "CF-Connecting-IP": "198.51.100.1",
      "MF-CF-Blob": '{"clientIp":"198.51.100.1:1"}',
      "X-Forwarded-For": "198.51.100.1",
    };
    for (const headers of [{}, elsewhere]) expect(await login(THERE, "bob", "bob", headers)).toBe(CONNECTION_RATE_EXCEEDED);
    expect(await login(HERE, "bob", "bob")).toBe(SUCCESS);
    expect(await login(HERE, "eve", "eve")).not.toBe(CONNECTION_RATE_EXCEEDED);
  });
});

test("who guesses tokens is bounded by address here too", async () => {
  const broker = await start({});
  for (let guess = 0; guess < 2; guess += 1)
    expect((await api(broker.url, "GET", "/banned", undefined, `a-guess-at-it-${guess}`)).status).toBe(401);
  expect((await api(broker.url, "GET", "/banned")).status).toBe(429);
});

test("an IPv6 address is one", async () => {
  const broker = await start({}, "::1");
  expect((await api(broker.url, "POST", "/banned", { as: "peerhost", who: "::1", reason: "x" })).status).toBe(200);
  const client = await MqttTestClient.open(broker.mqttUrl, { version: 5 });
  expect((await client.connect({ version: 5, userName: "ada", password: "ada" })).reasonCode).toBe(0x8a);
  client.terminate();
});
