/**
 * No token, and no part of one, in anything that the broker says: tokens of all kinds are planted in every place where one may be, then all
 * output is searched, of the log, of packets, of close reasons and of HTTP.
 */

import { afterAll, beforeAll, expect, test } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { AUTH, type Packet, PUBLISH } from "../../src/mqtt/packet.ts";
import { API_ENV, eventsOf, TOKENS } from "../support/api.ts";
import { REAUTHENTICATE } from "../support/auth-packets.ts";
import { startProvider } from "../support/identity-provider.ts";
import { connectPacket, publishPacket, unique } from "../support/mqtt-client.ts";
import { type Shown, show, type Way, waysOf } from "../support/token-clients.ts";
import { SECRET, seconds, signed, tokenKeys } from "../support/tokens.ts";

const METRICS_TOKEN = "a-token-for-metrics";
const lines: string[] = [];
const provider = await startProvider();
provider.instead = (_request, response) => response.writeHead(500).end();

const ENV = {
  ALLOW_ANONYMOUS: "false",
  JWT_SECRET: SECRET,
  JWT_JWKS_URLS: `${provider.url}?secret=of-the-url`,
  JWT_FROM: "password,username,url",
  API_TOKENS: API_ENV.API_TOKENS,
  NAMESPACES: API_ENV.NAMESPACES,
};
const brokers: Broker[] = [];
beforeAll(async () => {
  for (const TOPOLOGY of ["compact", "sharded"])
    brokers.push(
      await startBroker({ env: { ...ENV, TOPOLOGY, METRICS_TOKEN, PACKET_BYTES_MAX: "65536" }, log: (line) => void lines.push(line) }),
    );
});
afterAll(async () => {
  provider.close();
  await Promise.all(brokers.map((broker) => broker.dispose()));
});

/** Texts in each of which something of their own can be found. */
function tokens(): string[] {
  const claims = (): object => ({ sub: "ada", secret: unique("hidden") });
  return [
    signed({ ...claims(), exp: seconds(60), is_superuser: true }),
    // What some write for never: beyond what the platform's alarms know.
    signed({ ...claims(), exp: 99_999_999_999 }),
    signed({ ...claims(), exp: seconds(-60) }),
    signed({ ...claims(), nbf: seconds(60) }),
    signed({ ...claims(), sub: 7 }),
    signed({ ...claims(), acl: "none" }),
    signed(claims(), `${SECRET}.`),
    signed(claims(), tokenKeys("P-256").privateKey, { algorithm: "ES256", keyid: unique("kid") }),
    signed({ ...claims(), text: "x".repeat(20_000) }),
    `${signed(claims())}.`,
    signed(claims()).slice(0, -5),
  ];
}

/** A client that shows a token and then does what ends in the log, as far as it is let in. */
async function live({ client, connack }: Shown, fresh: string, way: Way): Promise<string> {
  if (connack.reasonCode === 0) {
    const properties = { authenticationMethod: way, authenticationData: Buffer.from(fresh) };
    if (way.endsWith("JWT")) client.send({ type: AUTH, reasonCode: REAUTHENTICATE, properties });
    else client.send(publishPacket("too/large", "x".repeat(70_000)));
  }
  const { reason } = await client.closed;
  return reason;
}

/** What is told of the packets of a client that shows a token, and then once more. */
async function traced(broker: Broker, token: string, way: Way): Promise<string> {
  const clientId = unique("watched");
  const response = await fetch(`${broker.url}/api/v5/clients/${clientId}/trace`, { headers: { Authorization: `Bearer ${TOKENS.admin}` } });
  const events = eventsOf(response);
  await events.next();
  const { client } = await show({ shape: "compact", mqttUrl: broker.mqttUrl } as Parameters<typeof show>[0], token, way, { clientId });
  client.send(connectPacket({ clientId, userName: token }));
  const told: Record<string, unknown>[] = [];
  while (told.at(-1)?.packet !== "closed") told.push((await events.next()).value!.data);
  await events.return(undefined);
  const ofConnect = told.filter(({ direction, packet }) => direction === "in" && packet === "CONNECT");
  expect(ofConnect.map(({ username }) => username)).toEqual(["ada", undefined]);
  return JSON.stringify(told);
}

/** All of its pieces of twelve characters. */
function piecesOf(text: string): string[] {
  return Array.from({ length: Math.max(0, text.length - 11) }, (_, at) => text.slice(at, at + 12));
}

test("tokens in every place, right and wrong, in every shape: nothing of them is said", async () => {
  const planted: string[] = [SECRET, METRICS_TOKEN, "of-the-url"];
  const said: string[] = [];
  const heard = (packets: readonly Packet[]): void => {
    for (const packet of packets) if (packet.type !== PUBLISH) said.push(JSON.stringify(packet));
  };
  for (const broker of brokers) {
    for (const shape of ["compact", "handed over"] as const) {
      for (const version of [4, 5] as const) {
        for (const way of waysOf(version)) {
          for (const token of tokens()) {
            const fresh = signed({ sub: "ada", secret: unique("hidden") }, `${SECRET}.`);
            planted.push(token, fresh);
            const shown = await show({ shape, mqttUrl: broker.mqttUrl } as Parameters<typeof show>[0], token, way, { version });
            said.push(await live(shown, fresh, way));
            heard(shown.client.arrived);
          }
        }
      }
    }
    const [token] = tokens();
    planted.push(token!);
    for (const way of waysOf(4)) said.push(await traced(broker, token!, way));
    for (const path of ["/", "/mqtt", "/nowhere/mqtt", "/nothing", "/health", "/metrics", `/mqtt?clientId=${"x".repeat(300)}`]) {
      const url = `${broker.url}${path}${path.includes("?") ? "&" : "?"}token=${token}`;
      const headers = path === "/metrics" ? { Authorization: `Bearer ${METRICS_TOKEN}` } : {};
      const response = await fetch(url, { headers });
      said.push(await response.text(), JSON.stringify([...response.headers]));
    }
  }
  // What is looked at has something in it.
  expect(said.length).toBeGreaterThan(300);
  expect(lines.filter((line) => line.includes("packet too large"))).not.toEqual([]);
  expect(lines.filter((line) => line.includes("authentication is not available"))).not.toEqual([]);
  expect(lines.filter((line) => line.includes("a fault"))).toEqual([]);
  expect(said.filter((text) => text.includes("expired"))).not.toEqual([]);
  const output = [...lines, ...said].join("\n");
  const secrets = planted.flatMap((text) => [
    text,
    /hidden\w+/.exec(Buffer.from(text.split(".")[1] ?? "", "base64url").toString())?.[0] ?? "",
  ]);
  const pieces = new Set(secrets.flatMap(piecesOf));
  expect(pieces.size).toBeGreaterThan(10_000);
  expect(piecesOf(output).filter((piece) => pieces.has(piece))).toEqual([]);
});
