/** The gateway before the broker itself, with a real client: who is let in as whom, from where, and what happens when the broker dies. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { Certificates } from "../../src/gateway/certificates.ts";
import { type Gateway, startGateway } from "../../src/gateway/gateway.ts";
import type { Line } from "../../src/gateway/journal.ts";
import type { ListenerOptions } from "../../src/gateway/listener.ts";
import { Proxies } from "../../src/gateway/proxies.ts";
import { sayingBy } from "../../src/gateway/signed.ts";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { quickHash, utf8 } from "../auth/support.ts";
import { ADMIN_TOKEN, api } from "../support/admin-api.ts";
import { Authority, type Certificate } from "./certificates.ts";
import { connectBytes, readAll, tcp } from "./support.ts";

const SECRET = utf8("a secret that gateway and broker have");

const folder = mkdtempSync(join(tmpdir(), "durable-mqtt-gateway-"));
const authority = new Authority("everybody's");
let broker: Broker;

beforeAll(async () => {
  broker = await startBroker({
    env: {
      TOPOLOGY: "sharded",
      GATEWAY_SECRET: new TextDecoder().decode(SECRET),
      ADMIN_TOKEN,
      USERS: JSON.stringify([{ user: "ada", password: await quickHash("lovelace"), publish: ["#"], subscribe: ["#"] }]),
      ACL: JSON.stringify([{ permission: "allow", action: "all", topics: ["devices/${username}/#"] }]),
    },
    log: () => {},
  });
});
afterAll(async () => {
  for (const client of clients) client.end(true);
  for (const gateway of gateways) await gateway.close(0);
  await broker.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const gateways: Gateway[] = [];
const clients: MqttClient[] = [];
const lines: Line[] = [];

async function gatewayAt(
  listener: Partial<ListenerOptions> = {},
  secret: Uint8Array | undefined = SECRET,
  handsOver = true,
): Promise<number> {
  const gateway = await startGateway({
    listeners: [{ host: "127.0.0.1", port: 0, ...listener }],
    broker: { url: broker.mqttUrl, handsOver, ...sayingBy(secret) },
    log: (line) => lines.push(line),
  });
  gateways.push(gateway);
  return gateway.ports[0]!;
}

async function connect(port: number, options: IClientOptions = {}): Promise<MqttClient> {
  const { protocol = "mqtt" } = options;
  const client = await mqtt.connectAsync(`${protocol}://127.0.0.1:${port}`, { reconnectPeriod: 0, protocolVersion: 5, ...options }, false);
  clients.push(client);
  return client;
}

/** The Reason Code with which a client is refused. */
async function refused(port: number, options: IClientOptions = {}): Promise<number> {
  const error = await connect(port, options).catch((thrown: { code: number }) => thrown);
  return (error as { code: number }).code;
}

const ADA = { username: "ada", password: "lovelace" };

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

function shown({ cert, key }: Certificate): IClientOptions {
  return { protocol: "mqtts", ca: authority.cert, cert, key, servername: "mqtt.example" } as IClientOptions;
}

describe.each([
  ["handed over", true],
  ["relayed", false],
])("clients that are %s", (_how, handsOver) => {
  it("come with their certificates, and with no name that is not theirs", async () => {
    const server = authority.certify({ alternativeNames: [[2, "mqtt.example"]] });
    const pairs = [{ cert: file("server.pem", server.cert), key: file("server-key.pem", server.key) }];
    const certificates = new Certificates({ pairs, ca: file("ca.pem", authority.cert) });
    const port = await gatewayAt({ tls: { certificates, userFrom: "cert-cn", areCertificatesOptional: true } }, SECRET, handsOver);
    const device = await connect(port, { ...shown(authority.certify({ commonNames: ["device-7"] })), ...ADA, password: "wrong" });
    await device.publishAsync("devices/device-7/a", "1", { qos: 1 });
    await expect(device.publishAsync("devices/ada/a", "1", { qos: 1 })).rejects.toMatchObject({ code: 0x87 });

    const stranger = new Authority("a stranger's").certify({ commonNames: ["device-7"] });
    expect(await refused(port, shown(stranger))).toBe(0x87);
    // Without a certificate the name alone is not enough, nor is it by plain TCP.
    const bare = { protocol: "mqtts", ca: authority.cert, servername: "mqtt.example", username: "device-7" } as IClientOptions;
    expect(await refused(port, bare)).toBe(0x86);
    expect(await refused(port, { ...bare, password: "device-7" })).toBe(0x86);
    expect(await refused(await gatewayAt({}, SECRET, handsOver), { username: "device-7" })).toBe(0x86);
    await connect(port, { ...bare, ...ADA });
  });

  it("are where a proxy says, and a ban of that address holds", async () => {
    const proxies = Proxies.of(["127.0.0.1"]) as Proxies;
    const port = await gatewayAt({ proxies }, SECRET, handsOver);
    const who = `192.0.2.${handsOver ? 7 : 8}`;
    expect((await api(broker.url, "POST", "/banned", { as: "peerhost", who, reason: "x" })).status).toBe(200);
    const codeFrom = async (address: string): Promise<number> => {
      const client = tcp(port);
      client.write(`PROXY TCP4 ${address} 192.0.2.1 4000 1883\r\n`);
      client.write(connectBytes({ clientId: `at-${address}`, userName: "ada", password: utf8("lovelace") }));
      const packet = await new Promise<Buffer>((resolve) => client.once("data", (bytes) => resolve(bytes as Buffer)));
      client.destroy();
      return (decodePacket(packet, 5) as { reasonCode: number }).reasonCode;
    };
    expect([await codeFrom(who), await codeFrom("192.0.2.9")]).toEqual([0x8a, 0]);
  });

  it("log in with a CONNECT in nine segments", async () => {
    const client = tcp(await gatewayAt({}, SECRET, handsOver), { noDelay: true });
    const bytes = connectBytes({ clientId: "nine", userName: "ada", password: utf8("lovelace") });
    const size = Math.ceil(bytes.length / 9);
    for (let from = 0; from < bytes.length; from += size) {
      await new Promise((resolve) => client.write(bytes.subarray(from, from + size), resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const packet = await new Promise<Buffer>((resolve) => client.once("data", (data) => resolve(data as Buffer)));
    expect(decodePacket(packet, 5)).toMatchObject({ reasonCode: 0 });
  });
});

it("clients hear that the server is not available when gateway and broker have different secrets, and the operator hears why", async () => {
  const port = await gatewayAt({}, utf8("another secret of thirty-two bytes or more"));
  expect(await refused(port, ADA)).toBe(0x88);
  await expect
    .poll(() => lines.map(({ message, fields }) => `${message}: ${fields.said}`))
    .toContain(
      "the broker refuses connections (HTTP 401): What the gateway says of its client is not believed: it is not signed with the GATEWAY_SECRET of this broker.",
    );
});

it("a CONNECT that the broker does not take is answered in its words", async () => {
  const port = await gatewayAt();
  const bytes = connectBytes();
  bytes[9]! |= 1;
  const client = tcp(port);
  client.write(bytes);
  expect(decodePacket(await readAll(client), 5)).toMatchObject({ reasonCode: 0x81 });
});

it("a Client Identifier that is too long for the broker is refused as that", async () => {
  expect(await refused(await gatewayAt(), { ...ADA, clientId: "x".repeat(1000) })).toBe(0x85);
});

it("a broker that dies ends its clients, which come back by themselves to the session that they had", async () => {
  const port = await gatewayAt();
  const options = { ...ADA, clientId: "keeper", clean: false, properties: { sessionExpiryInterval: 600 } };
  const client = await connect(port, options);
  await client.subscribeAsync("news", { qos: 1 });
  const closed = new Promise<void>((resolve) => client.once("close", resolve));
  await broker.crash();
  await closed;
  const publisher = await connect(port, ADA);
  await publisher.publishAsync("news", "while it was away", { qos: 1 });
  const back = mqtt.connect({ host: "127.0.0.1", port, protocol: "mqtt", protocolVersion: 5, ...options });
  clients.push(back);
  const [, payload] = await new Promise<[string, Buffer]>((resolve) => back.once("message", (topic, bytes) => resolve([topic, bytes])));
  expect(String(payload)).toBe("while it was away");
});
