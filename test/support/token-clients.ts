/** Clients that show tokens to real brokers, in every way in which one may be shown. */

import { CONNACK, type Connack, type ProtocolVersion } from "../../src/mqtt/packet.ts";
import type { TestBroker } from "./brokers.ts";
import { type ConnectOptions, connectPacket, MqttTestClient, unique } from "./mqtt-client.ts";

export type Way = "password" | "username" | "url" | "JWT" | "OAUTH2-JWT" | "CUSTOM-JWT";

/** Those that a version has: Authentication Methods came with 5.0. */
export function waysOf(version: ProtocolVersion): readonly Way[] {
  return version === 5 ? ["password", "username", "url", "JWT", "OAUTH2-JWT", "CUSTOM-JWT"] : ["password", "username", "url"];
}

export interface Shown {
  readonly client: MqttTestClient;
  readonly connack: Connack;
}

/** A CONNECT that shows a token, with its answer, whatever that is. The user name of CONNECT is `nobody`, which 3.1.1 wants beside a password. */
export async function show(broker: TestBroker, token: string, way: Way = "password", options: ConnectOptions = {}): Promise<Shown> {
  const clientId = options.clientId ?? unique("c");
  const query = new URLSearchParams();
  if (broker.shape === "handed over") query.set("clientId", clientId);
  if (way === "url") query.set("token", token);
  const client = await MqttTestClient.open(`${broker.mqttUrl}?${query}`);
  const { version = 4 } = options;
  const properties = {
    ...options.properties,
    ...(way.endsWith("JWT") ? { authenticationMethod: way, authenticationData: Buffer.from(token) } : {}),
  };
  const login =
    way === "password" ? { userName: "nobody", password: token } : way === "username" ? { userName: token, password: "nothing" } : {};
  client.send(connectPacket({ ...login, ...options, version, clientId, properties }));
  return { client, connack: await client.expect(CONNACK) };
}

/** What refuses a token that is not right: 5.0 has Reason Codes, 3.x Return Codes. */
export function refusalOf(version: ProtocolVersion, way: Way): number {
  const isLogin = way === "password" || way === "username";
  if (version === 5) return isLogin ? 0x86 : 0x87;
  return isLogin ? 4 : 5;
}
