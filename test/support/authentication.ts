/** Enhanced authentication in tests: users of a broker, AUTH packets, and whole SCRAM exchanges of a test client. */

import { pbkdf2Sync } from "node:crypto";
import { AUTH, type Auth, CONNACK, type Connack, NO_PROPERTIES, type Properties } from "../../src/mqtt/packet.ts";
import type { TestBroker } from "./brokers.ts";
import { type ConnectOptions, connectPacket, type MqttTestClient, unique } from "./mqtt-client.ts";
import { SCRAM_SHA_256, ScramClient } from "./scram-client.ts";

export const CONTINUE = 0x18;
export const REAUTHENTICATE = 0x19;

function user(name: string, password: string, rights: { readonly publish: string[]; readonly subscribe: string[] }): object {
  const salt = Buffer.from(`salt of ${name}`);
  const hash = pbkdf2Sync(password, salt, 1000, 32, "sha256");
  return { user: name, password: `pbkdf2-sha256$1000$${salt.toString("base64")}$${hash.toString("base64")}`, ...rights };
}

/** The setting USERS: ada (lovelace) may do everything, bob (builder) only what is below `bob`. */
export const USERS = JSON.stringify([
  user("ada", "lovelace", { publish: ["#"], subscribe: ["#"] }),
  user("bob", "builder", { publish: ["bob/#"], subscribe: ["bob/#"] }),
]);

/** An AUTH with the method of these tests. */
export function auth(reasonCode: number, data?: Uint8Array, more: Properties = NO_PROPERTIES): Auth {
  const authenticationData = data === undefined ? {} : { authenticationData: data };
  return { type: AUTH, reasonCode, properties: { authenticationMethod: SCRAM_SHA_256, ...authenticationData, ...more } };
}

export interface ScramConnectOptions extends ConnectOptions {
  /** ada by default. */
  readonly as?: string;
  /** lovelace by default. */
  readonly secret?: string;
}

/** A client of 5.0 whose CONNECT with the first SCRAM message was answered by AUTH. */
export interface Challenged {
  readonly client: MqttTestClient;
  readonly scram: ScramClient;
  readonly challenge: Auth;
}

export async function challenged(broker: TestBroker, options: ScramConnectOptions = {}): Promise<Challenged> {
  const { as = "ada", secret = "lovelace", clientId = unique("c"), ...rest } = options;
  const scram = new ScramClient(as, secret);
  const client = await broker.open({ version: 5, clientId });
  const properties = { authenticationMethod: SCRAM_SHA_256, authenticationData: scram.first(), ...options.properties };
  client.send(connectPacket({ version: 5, ...rest, clientId, properties }));
  return { client, scram, challenge: await client.expect(AUTH) };
}

/** A client that answered the challenge, with the CONNACK that came, whatever its code. */
export async function answered(broker: TestBroker, options: ScramConnectOptions = {}): Promise<Challenged & { readonly connack: Connack }> {
  const exchange = await challenged(broker, options);
  exchange.client.send(auth(CONTINUE, exchange.scram.final(exchange.challenge.properties.authenticationData!)));
  return { ...exchange, connack: await exchange.client.expect(CONNACK) };
}

/** A client that was let in by SCRAM. */
export async function connected(broker: TestBroker, options: ScramConnectOptions = {}): Promise<MqttTestClient> {
  const { client, connack } = await answered(broker, options);
  if (connack.reasonCode !== 0) throw new Error(`CONNECT was refused with ${connack.reasonCode} ${connack.properties.reasonString ?? ""}`);
  return client;
}

/** Begins a re-authentication. */
export async function rechallenged(client: MqttTestClient, as = "ada", secret = "lovelace"): Promise<Challenged> {
  const scram = new ScramClient(as, secret);
  client.send(auth(REAUTHENTICATE, scram.first()));
  return { client, scram, challenge: await client.expect(AUTH) };
}

/** Answers the challenge of a re-authentication. */
export function answer({ client, scram, challenge }: Challenged): void {
  client.send(auth(CONTINUE, scram.final(challenge.properties.authenticationData!)));
}
