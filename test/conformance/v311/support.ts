/** What the chapters share. */

import { expect } from "vitest";
import { hashPassword, ITERATIONS_MIN } from "../../../src/auth/password.ts";
import type { TestBroker } from "../../support/brokers.ts";
import { type ConnectOptions, type MqttTestClient, toBytes, unique } from "../../support/mqtt-client.ts";
import type { Bytes } from "../../support/raw-packet.ts";

/** WebSocket close codes of this broker. */
export const CLOSE_NORMAL = 1000;
export const CLOSE_PROTOCOL_ERROR = 1002;
export const CLOSE_UNSUPPORTED_DATA = 1003;
export const CLOSE_POLICY = 1008;
export const CLOSE_TOO_BIG = 1009;

/** The connection ends by the broker's hand without another packet. */
export async function expectClosed(client: MqttTestClient, code = CLOSE_PROTOCOL_ERROR): Promise<void> {
  const closing = await client.closed;
  expect(closing.packetsBefore).toEqual([]);
  expect(closing.code).toBe(code);
}

/** Each of these, sent on an accepted connection of its own, ends it without an answer. */
export async function expectEachCloses(
  broker: TestBroker,
  packets: Readonly<Record<string, Bytes>>,
  code = CLOSE_PROTOCOL_ERROR,
  options: ConnectOptions = {},
): Promise<void> {
  for (const [what, bytes] of Object.entries(packets)) {
    const client = await broker.connect(options);
    client.sendBytes(bytes);
    const closing = await client.closed.catch((error: Error) => error.message);
    expect(closing, what).toMatchObject({ code, packetsBefore: [] });
  }
}

/** Each of these, as the first bytes of a connection, ends it without an answer: no CONNACK. */
export async function expectEachRefused(
  broker: TestBroker,
  packets: Readonly<Record<string, Bytes>>,
  code = CLOSE_PROTOCOL_ERROR,
): Promise<void> {
  for (const [what, bytes] of Object.entries(packets)) {
    const client = await broker.open();
    client.sendBytes(bytes);
    const closing = await client.closed.catch((error: Error) => error.message);
    expect(closing, what).toMatchObject({ code, packetsBefore: [] });
  }
}

/** A client that sees everything published under a prefix, at QoS 2. */
export async function observer(broker: TestBroker, filter: string): Promise<MqttTestClient> {
  const client = await broker.connect();
  await client.subscribe(filter, { qos: 2 });
  return client;
}

/** A client whose session is kept (Clean Session 0). */
export function keptSession(broker: TestBroker, clientId = unique("kept"), options: ConnectOptions & { autoAck?: boolean } = {}) {
  return broker.connect({ ...options, clientId, clean: false });
}

/** The setting USERS with one user. */
export async function usersOf(
  ...users: readonly { user: string; password: string; publish?: readonly string[]; subscribe?: readonly string[] }[]
): Promise<string> {
  const hashed = users.map(async (user) => ({ ...user, password: await hashPassword(toBytes(user.password), ITERATIONS_MIN) }));
  return JSON.stringify(await Promise.all(hashed));
}
