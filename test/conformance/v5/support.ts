/** What the chapters of MQTT 5.0 share: clients that speak version 5, bytes written by hand, and how a connection ends. */

import { hashPassword, ITERATIONS_MIN } from "../../../src/auth/password.ts";
import { encodePacket } from "../../../src/mqtt/encode.ts";
import { DISCONNECT, type Disconnect } from "../../../src/mqtt/packet.ts";
import { describeTopologies, type TestBroker, type TopologyOptions } from "../../support/brokers.ts";
import { type ConnectOptions, connectPacket, type MqttTestClient, type OpenOptions } from "../../support/mqtt-client.ts";
import { type Bytes, field, rawPacket as raw } from "../../support/raw-packet.ts";

export { type Bytes, field, rawPacket as raw } from "../../support/raw-packet.ts";

export interface Broker5 {
  readonly shape: TestBroker["shape"];
  readonly mqttUrl: string;
  /** A socket on which nothing was sent yet and which reads 5.0. */
  open(options?: OpenOptions & { readonly clientId?: string }): Promise<MqttTestClient>;
  /** A client whose CONNECT of 5.0 was accepted. */
  connect(options?: ConnectOptions & OpenOptions): Promise<MqttTestClient>;
}

/** As describeTopologies, for clients of 5.0. */
export function describe5(
  body: (broker: Broker5) => void,
  env: Readonly<Record<string, string>> = {},
  options: TopologyOptions = {},
): void {
  describeTopologies(
    (broker) =>
      body({
        shape: broker.shape,
        get mqttUrl() {
          return broker.mqttUrl;
        },
        open: (options = {}) => broker.open({ version: 5, ...options }),
        connect: (options = {}) => broker.connect({ version: 5, ...options }),
      }),
    env,
    options,
  );
}

/** A property section: its length and the properties. */
export function section(...properties: readonly Bytes[]): Uint8Array {
  // The length of a packet is written as that of a section is.
  return raw(0, ...properties).subarray(1);
}

/** The property `id` whose value is a string field. */
export const text = (id: number, content: string | readonly number[]): Bytes => Uint8Array.of(id, ...field(content));

/** A CONNECT of 5.0 written by hand; by default one that is accepted. */
export function rawConnect(parts: {
  flags?: number;
  keepAlive?: string;
  properties?: readonly Bytes[];
  payload?: readonly Bytes[];
}): Uint8Array {
  const { flags = 0x02, keepAlive = "0000", properties = [], payload = [field("")] } = parts;
  return raw(0x10, field("MQTT"), [5, flags], keepAlive, section(...properties), ...payload);
}

/** The DISCONNECT that the broker ends the connection with; nothing may come before or after it. */
export async function ended(client: MqttTestClient): Promise<Disconnect> {
  const packet = await client.expect(DISCONNECT);
  const { packetsBefore } = await client.closed;
  if (packetsBefore.length > 0) throw new Error(`${packetsBefore.length} packets came after DISCONNECT`);
  return packet;
}

/** Sends bytes on a new connection. @returns the Reason Code of the DISCONNECT that ends it */
export async function reaction(broker: Broker5, ...frames: readonly Bytes[]): Promise<number> {
  const client = await broker.connect();
  client.sendBytes(...frames);
  return (await ended(client)).reasonCode;
}

/** Sends a CONNECT that is refused. @returns the Reason Code of the CONNACK before the close */
export async function refusal(broker: Broker5, connect: Bytes | ConnectOptions): Promise<number> {
  const client = await broker.open();
  const isBytes = typeof connect === "string" || connect instanceof Uint8Array || Array.isArray(connect);
  client.sendBytes(isBytes ? (connect as Bytes) : encodePacket(connectPacket({ version: 5, ...(connect as ConnectOptions) }), 5));
  const connack = await client.expect(2);
  if (connack.sessionPresent) throw new Error("Session Present in a refusal");
  const { packetsBefore } = await client.closed;
  if (packetsBefore.length > 0) throw new Error("packets came after a refusing CONNACK");
  return connack.reasonCode;
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const password = await hashPassword(new TextEncoder().encode("secret"), ITERATIONS_MIN);

/**
 * The setting USERS, all with the password `secret`: ann may use topics below `ann/` only, sys may publish below `$dev/` and subscribe to
 * everything. Who gives no user name is anonymous, with every right but on topics with $.
 */
export const USERS = JSON.stringify([
  { user: "ann", password, publish: ["ann/#"], subscribe: ["ann/#"] },
  { user: "sys", password, publish: ["$dev/#"], subscribe: ["#", "$dev/#"] },
]);

export const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
