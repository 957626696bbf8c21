/** Another Worker behind the binding AUTH says who may connect, over real sockets: a Worker that throws, hangs or lies harms the login that it was asked about. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { CONNACK, type Connack } from "../../src/mqtt/packet.ts";
import type { Shape } from "../support/brokers.ts";
import { type ConnectOptions, connectPacket, MqttTestClient, request, textOf, unique } from "../support/mqtt-client.ts";

const TIMEOUT_MS = 500;
const PASSWORD = unique("planted");

/** As a user would write it. */
const WORKER = `
import { WorkerEntrypoint } from "cloudflare:workers";

export default class extends WorkerEntrypoint {
  async authenticate({ clientId, userName, password, address, token, protocolVersion }) {
    if (userName === "throws") throw new Error("about " + password);
    if (userName === "hangs") await scheduler.wait(60_000);
    if (userName === "lies") return { result: "allow", is_superuser: "yes " + password };
    if (userName === "says nothing") return;
    if (userName === "talks") return { result: "allow", client_attrs: { x: "x".repeat(100_000) } };
    if (token === "a-token") return { result: "allow", acl: [{ permission: "allow", action: "all", topic: "#" }] };
    if (userName !== "ada") return { result: "ignore" };
    if (password !== ${JSON.stringify(PASSWORD)}) return { result: "deny" };
    return { result: "allow", client_attrs: { site: "s1" }, acl: [{ permission: "allow", action: "all", topic: "v" + protocolVersion + "/\${clientid}/#" }] };
  }

  async authorize({ namespace, clientId, userName, address, clientAttributes, action, topic, qos }) {
    if (topic === "throws") throw new Error("no");
    if (namespace !== "default" || action !== "subscribe" || userName !== "ada" || qos !== 1) return { result: "ignore" };
    return { result: topic === "sites/" + clientAttributes.site + "/#" ? "allow" : "deny" };
  }
}
`;

const lines: string[] = [];
const said: string[] = [];
const brokers = new Map<Shape, Broker>();
beforeAll(async () => {
  const env = {
    ALLOW_ANONYMOUS: "false",
    AUTH_AUTHORIZE: "true",
    HTTP_AUTH_TIMEOUT_MS: String(TIMEOUT_MS),
    ADDRESS_LOGIN_FAILURE_RATE: "unlimited",
  };
  const start = (TOPOLOGY: string): Promise<Broker> =>
    startBroker({ env: { ...env, TOPOLOGY }, authWorker: WORKER, log: (line) => void lines.push(line) });
  const [compact, sharded] = await Promise.all([start("compact"), start("sharded")]);
  brokers.set("compact", compact).set("sharded", sharded).set("handed over", sharded);
});
afterAll(() => Promise.all([...new Set(brokers.values())].map((broker) => broker.dispose())));

async function login(shape: Shape, options: ConnectOptions, token = ""): Promise<{ client: MqttTestClient; connack: Connack }> {
  const { clientId = unique("c") } = options;
  const query = new URLSearchParams({ ...(shape === "handed over" ? { clientId } : {}), ...(token === "" ? {} : { token }) });
  const client = await MqttTestClient.open(`${brokers.get(shape)!.mqttUrl}?${query}`);
  client.send(connectPacket({ ...options, clientId }));
  const connack = await client.expect(CONNACK);
  said.push(JSON.stringify(connack));
  void client.closed.then(({ reason }) => said.push(reason));
  return { client, connack };
}

describe.each(["compact", "sharded", "handed over"] as const)("%s", (shape) => {
  test.each([4, 5] as const)("version %i: right, wrong, unknown, by a token; rights come with the answer", async (version) => {
    const clientId = unique("c");
    const { client, connack } = await login(shape, { version, clientId, userName: "ada", password: PASSWORD });
    expect(connack.reasonCode).toBe(0);
    expect((await client.subscribe(`v${version}/${clientId}/#`)).reasonCodes).toEqual([0]);
    expect((await client.subscribe("v9/#")).reasonCodes[0]).toBeGreaterThanOrEqual(0x80);
    client.terminate();
    const bearer = await login(shape, { version }, "a-token");
    expect(bearer.connack.reasonCode).toBe(0);
    bearer.client.terminate();
    for (const [userName, password, wanted] of [
      ["ada", `${PASSWORD}.`, version === 5 ? 0x87 : 5],
      ["ada", Uint8Array.of(0xff), version === 5 ? 0x86 : 4],
      ["eve", PASSWORD, version === 5 ? 0x86 : 4],
    ] as const) {
      const refused = await login(shape, { version, userName, password });
      expect([userName, refused.connack.reasonCode]).toEqual([userName, wanted]);
      await refused.client.closed;
    }
  });

  test.each([4, 5] as const)("version %i: authorize is asked about what no rule says anything of", async (version) => {
    const { client } = await login(shape, { version, userName: "ada", password: PASSWORD });
    const filters = [request("sites/s1/#", 1), request("sites/s2/#", 1), request("sites/s1/#", 2), request("throws", 1)];
    const no = version === 5 ? 0x87 : 0x80;
    expect((await client.subscribe(filters)).reasonCodes).toEqual([1, no, no, no]);
    client.terminate();
  });

  test("one that throws, hangs or lies: 0x88, or return code 3, for that login; the others are served meanwhile", async () => {
    const clientId = unique("c");
    const { client } = await login(shape, { version: 5, clientId, userName: "ada", password: PASSWORD });
    const wrong = ["throws", "hangs", "lies", "says nothing", "talks"].flatMap((userName) =>
      ([4, 5] as const).map(async (version) => {
        const { client: refused, connack } = await login(shape, { version, userName, password: PASSWORD });
        await refused.closed;
        return [userName, connack.reasonCode === (version === 5 ? 0x88 : 3)];
      }),
    );
    await client.subscribe(`v5/${clientId}/a`);
    await client.publish(`v5/${clientId}/a`, "still served", { qos: 1 });
    expect(textOf(await client.message())).toBe("still served");
    const answered = await Promise.all(wrong);
    expect(answered.filter(([, isRight]) => !isRight)).toEqual([]);
    const late = await login(shape, { version: 5, userName: "ada", password: PASSWORD });
    expect(late.connack.reasonCode).toBe(0);
    late.client.terminate();
    client.terminate();
  });
});

test("nothing of a password is in the log, nor in what clients are told", () => {
  const about = lines.filter((line) => line.includes("the Worker behind the binding AUTH is no help"));
  expect(about.length).toBeGreaterThan(4);
  expect([...lines, ...said].filter((text) => text.includes(PASSWORD))).toEqual([]);
});
