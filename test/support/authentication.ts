/** Whole SCRAM exchanges of a test client with a real broker. */

import { AUTH, type Auth, CONNACK, type Connack } from "../../src/mqtt/packet.ts";
import { auth, CONTINUE, REAUTHENTICATE } from "./auth-packets.ts";
import type { TestBroker } from "./brokers.ts";
import { type ConnectOptions, connectPacket, type MqttTestClient, unique } from "./mqtt-client.ts";
import { SCRAM_SHA_256, ScramClient } from "./scram-client.ts";

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
  exchange.client.send(auth(CONTINUE, await exchange.scram.final(exchange.challenge.properties.authenticationData)));
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
export async function answer({ client, scram, challenge }: Challenged): Promise<void> {
  client.send(auth(CONTINUE, await scram.final(challenge.properties.authenticationData)));
}
