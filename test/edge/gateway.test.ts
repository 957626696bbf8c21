/** Gateways, as the broker sees them: what a signed statement says of a client holds, and nobody else can say it. */

import { afterAll, describe, expect, test } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { GATEWAY_HEADER, signStatement } from "../../src/auth/gateway-statement.ts";
import { BAD_AUTHENTICATION_METHOD, BAD_USER_NAME_OR_PASSWORD, BANNED, NOT_AUTHORIZED, SUCCESS } from "../../src/mqtt/reason-code.ts";
import { quickHash, utf8 } from "../auth/support.ts";
import { ADMIN_TOKEN, api } from "../support/admin-api.ts";
import { MqttTestClient, unique } from "../support/mqtt-client.ts";

const GATEWAY_SECRET = "a secret that gateway and broker have";

const brokers: Broker[] = [];
afterAll(async () => {
  for (const broker of brokers) await broker.dispose();
});

async function start(env: Record<string, string>): Promise<Broker> {
  const broker = await startBroker({ env });
  brokers.push(broker);
  return broker;
}

interface Said {
  readonly address?: string;
  readonly userName?: string;
  readonly secret?: string;
}

async function headersOf({ address = "192.0.2.7", userName, secret = GATEWAY_SECRET }: Said): Promise<Record<string, string>> {
  return { [GATEWAY_HEADER]: await signStatement(utf8(secret), { address, userName }, Date.now()) };
}

describe.each([
  ["compact", "compact", false],
  ["relayed", "sharded", false],
  ["handed over", "sharded", true],
] as const)("%s", (_shape, TOPOLOGY, isHandedOver) => {
  const env = async (): Promise<Record<string, string>> => ({
    TOPOLOGY,
    GATEWAY_SECRET,
    ADMIN_TOKEN,
    USERS: JSON.stringify([{ user: "ada", password: await quickHash("lovelace"), publish: ["ada/#"], subscribe: ["ada/#"] }]),
    ACL: JSON.stringify([{ permission: "allow", action: "all", topics: ["devices/${username}/#"] }]),
  });

  async function opened(broker: Broker, said: Said | undefined, clientId = unique("device")): Promise<MqttTestClient> {
    const query = isHandedOver ? `?clientId=${clientId}` : "";
    const headers = said === undefined ? {} : await headersOf(said);
    return MqttTestClient.open(broker.mqttUrl + query, { version: 5, headers, clientId });
  }

  /** @returns the Reason Code of CONNACK */
  async function login(broker: Broker, said: Said | undefined, connect: { userName?: string; password?: string } = {}): Promise<number> {
    const client = await opened(broker, said);
    const { reasonCode } = await client.connect({ version: 5, ...connect });
    client.terminate();
    return reasonCode;
  }

  test("a certificate lets in whom it names, whatever name and password CONNECT has, with the rights of that name", async () => {
    const broker = await start(await env());
    for (const connect of [{}, { userName: "ada", password: "wrong" }, { userName: "ada" }]) {
      const client = await opened(broker, { userName: "device-7" });
      expect((await client.connect({ version: 5, ...connect })).reasonCode).toBe(SUCCESS);
      expect((await client.publish("devices/device-7/a", "", { qos: 1 }))!.reasonCode).not.toBe(NOT_AUTHORIZED);
      for (const topic of ["devices/ada/a", "ada/a"])
        expect((await client.publish(topic, "", { qos: 1 }))!.reasonCode).toBe(NOT_AUTHORIZED);
      client.terminate();
    }
    const ada = await opened(broker, { userName: "ada" });
    expect((await ada.connect({ version: 5 })).reasonCode).toBe(SUCCESS);
    expect((await ada.publish("ada/a", "", { qos: 1 }))!.reasonCode).not.toBe(NOT_AUTHORIZED);
    ada.terminate();
  });

  test("without a certificate nobody has its name, and users have their passwords", async () => {
    const broker = await start(await env());
    for (const said of [undefined, {}]) {
      expect(await login(broker, said, { userName: "device-7" })).toBe(BAD_USER_NAME_OR_PASSWORD);
      expect(await login(broker, said, { userName: "device-7", password: "device-7" })).toBe(BAD_USER_NAME_OR_PASSWORD);
      expect(await login(broker, said, { userName: "ada", password: "lovelace" })).toBe(SUCCESS);
      expect(await login(broker, said)).toBe(BAD_USER_NAME_OR_PASSWORD);
    }
  });

  test("its client is where the gateway says, and bans hold for that address and for the name of the certificate", async () => {
    const broker = await start(await env());
    expect((await api(broker.url, "POST", "/banned", { as: "peerhost", who: "192.0.2.8", reason: "x" })).status).toBe(200);
    expect((await api(broker.url, "POST", "/banned", { as: "username", who: "device-8", reason: "x" })).status).toBe(200);
    expect(await login(broker, { userName: "device-7", address: "192.0.2.8" })).toBe(BANNED);
    expect(await login(broker, { userName: "device-8" }, { userName: "device-7" })).toBe(BANNED);
    expect(await login(broker, { userName: "device-7" }, { userName: "somebody" })).toBe(SUCCESS);
    expect(await login(broker, { address: "192.0.2.8" }, { userName: "ada", password: "lovelace" })).toBe(BANNED);
  });

  test("a user of the directory has its rights, and its connection ends when it is removed", async () => {
    const broker = await start(await env());
    const users = "/authentication/password_based:built_in_database/users";
    const user = { user_id: "bob", password_hash: await quickHash("builder"), publish: ["bob/#"] };
    expect((await api(broker.url, "POST", users, user)).status).toBeLessThan(300);
    const client = await opened(broker, { userName: "bob" });
    expect((await client.connect({ version: 5 })).reasonCode).toBe(SUCCESS);
    expect((await client.publish("bob/a", "", { qos: 1 }))!.reasonCode).not.toBe(NOT_AUTHORIZED);
    expect((await api(broker.url, "DELETE", `${users}/bob`)).status).toBe(204);
    expect((await client.closed).code).not.toBe(1000);
  });

  test("there is no other authentication beside a certificate", async () => {
    const broker = await start(await env());
    const client = await opened(broker, { userName: "device-7" });
    const properties = { authenticationMethod: "SCRAM-SHA-256", authenticationData: utf8("n,,n=ada,r=x") };
    expect((await client.connect({ version: 5, properties })).reasonCode).toBe(BAD_AUTHENTICATION_METHOD);
  });
});

describe("a statement that is not believed is refused before anything is opened, and says why", () => {
  async function refusal(broker: Broker, headers: Record<string, string>): Promise<string> {
    const upgrade = {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    };
    const { request } = await import("node:http");
    return new Promise((resolve, reject) => {
      const asking = request(`${broker.url}/mqtt`, { headers: { ...upgrade, ...headers } }, (response) => {
        let body = "";
        response.on("data", (text) => {
          body += String(text);
        });
        response.on("end", () => resolve(`${response.statusCode} ${body}`));
      });
      asking.on("upgrade", (_response, socket) => {
        socket.destroy();
        resolve("101");
      });
      asking.on("error", reject);
      asking.end();
    });
  }

  test("a forged one, an old one, and any where the broker has no secret", async () => {
    const broker = await start({ GATEWAY_SECRET });
    expect(await refusal(broker, await headersOf({ userName: "ada", secret: "some other secret of 32 bytes, or more" }))).toBe(
      "401 What the gateway says of its client is not believed: it is not signed with the GATEWAY_SECRET of this broker.\n",
    );
    expect(await refusal(broker, { [GATEWAY_HEADER]: '{"userName":"ada"}' })).toMatch(/^401 .* it is not in the form of a statement\.\n$/);
    const old = await signStatement(utf8(GATEWAY_SECRET), { address: "192.0.2.7", userName: "ada" }, Date.now() - 600_000);
    expect(await refusal(broker, { [GATEWAY_HEADER]: old })).toMatch(
      /^401 .* the clock of the gateway is \d+ s behind, or it was used again\.\n$/,
    );
    expect(await refusal(broker, await headersOf({}))).toBe("101");
    const without = await start({ ALLOW_ANONYMOUS: "true" });
    expect(await refusal(without, await headersOf({}))).toMatch(/^401 .* this broker has no GATEWAY_SECRET\.\n$/);
  });

  test("of a broker that knows nothing but certificates, all others hear that name or password are wrong", async () => {
    const broker = await start({ GATEWAY_SECRET });
    const client = await MqttTestClient.open(broker.mqttUrl, { version: 5 });
    expect((await client.connect({ version: 5, userName: "ada", password: "x" })).reasonCode).toBe(BAD_USER_NAME_OR_PASSWORD);
  });
});
