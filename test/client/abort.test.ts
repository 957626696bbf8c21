/** AbortSignals: who gives up is told at once, what waits is taken back, and what is under way ends as it would have. */

import { expect, it } from "vitest";
import { connect, type MqttError } from "../../src/client/index.ts";
import { DISCONNECT, NO_PROPERTIES, PUBACK, PUBLISH, SUBSCRIBE, UNSUBACK, UNSUBSCRIBE } from "../../src/mqtt/packet.ts";
import { acknowledgement, textOf } from "../support/mqtt-client.ts";
import { connected, FakeServer, settled, suback } from "./fake-server.ts";

const WHY = new Error("no time");

const aborted = { name: "MqttError", kind: "aborted", cause: WHY };

it("nothing is begun with a signal that was aborted before", async () => {
  const server = new FakeServer();
  const signal = AbortSignal.abort(WHY);
  await expect(connect(server.factory, { clock: server.clock, signal })).rejects.toMatchObject(aborted);
  expect([server.connections.length, server.clock.nextMs]).toEqual([0, undefined]);
  const { client, connection } = await connected();
  await expect(client.publish("a", "x", { qos: 1, signal })).rejects.toMatchObject(aborted);
  await expect(client.subscribe("a", { signal })).rejects.toMatchObject(aborted);
  await expect(client.request("a", "x", { signal })).rejects.toMatchObject(aborted);
  await settled();
  expect(connection.inbox).toEqual([]);
});

it("a first connection is given up, in whatever state it is, and there is no other one", async () => {
  for (const isOpen of [false, true]) {
    const server = new FakeServer();
    const controller = new AbortController();
    const connecting = connect(server.factory, { clock: server.clock, signal: controller.signal });
    await settled();
    if (isOpen) server.connection.open();
    controller.abort(WHY);
    await expect(connecting).rejects.toMatchObject(aborted);
    await settled();
    expect([server.connection.readyState, server.clock.nextMs]).toEqual([3, undefined]);
  }
});

it("given up in the moment in which it was made, a connection is ended", async () => {
  const server = new FakeServer();
  const controller = new AbortController();
  const on = { connected: () => controller.abort(WHY) };
  const failing = expect(connect(server.factory, { clock: server.clock, signal: controller.signal, on })).rejects.toMatchObject(aborted);
  await settled();
  await server.connection.welcome();
  await failing;
  await server.connection.expect(DISCONNECT);
  expect([server.connection.readyState, server.clock.nextMs]).toEqual([3, undefined]);
});

it("once there is a client, the signal of its connection says nothing any more", async () => {
  const controller = new AbortController();
  const { client } = await connected({ signal: controller.signal });
  controller.abort(WHY);
  await settled();
  expect(client.isConnected).toBe(true);
});

it("a message that waits is taken back and leaves its place to others; one that was sent is only not waited for", async () => {
  const { server, client, connection } = await connected({ queueMax: 3 });
  const controller = new AbortController();
  const { signal } = controller;
  const sent = client.publish("a", "sent", { qos: 1, signal });
  const { packetId } = await connection.expect(PUBLISH);
  connection.drop();
  const waiting = [client.publish("a", "0", { signal }), client.publish("a", "1", { qos: 1, signal })];
  await expect(client.publish("a", "too many")).rejects.toMatchObject({ kind: "full" });
  controller.abort(WHY);
  for (const publishing of [sent, ...waiting]) await expect(publishing).rejects.toMatchObject(aborted);
  const others = [client.publish("a", "2"), client.publish("a", "3")];
  const again = await server.again({ sessionPresent: true });
  await Promise.all(others);
  expect((await again.messages(3)).map((packet) => [textOf(packet), packet.packetId])).toEqual([
    ["sent", packetId],
    ["2", 0],
    ["3", 0],
  ]);
  again.say(acknowledgement(PUBACK, packetId));
  await client.end();
  await again.expect(DISCONNECT);
});

it("a request is given up before its response Subscription is made, before it is sent and after it", async () => {
  // Each has Correlation Data of its own.
  const { client, connection } = await connected({ random: Math.random });
  for (const step of ["subscribing", "publishing", "waiting"]) {
    const controller = new AbortController();
    const requesting = client.request("q", step, { signal: controller.signal });
    await settled();
    if (step === "publishing") {
      const { packetId } = await connection.expect(SUBSCRIBE);
      connection.say(suback(packetId, 1));
      await connection.expect(PUBLISH);
    } else if (step === "waiting") connection.say(acknowledgement(PUBACK, (await connection.expect(PUBLISH)).packetId));
    controller.abort(WHY);
    await expect(requesting).rejects.toMatchObject(aborted);
  }
});

it("a Subscription ends with its signal, whether it was granted or not", async () => {
  const { client, connection } = await connected();
  const controller = new AbortController();
  const { signal } = controller;
  const subscribing = client.subscribe("a", { signal });
  connection.say(suback((await connection.expect(SUBSCRIBE)).packetId, 0));
  const loop = (await subscribing)[Symbol.asyncIterator]().next();
  const other = client.subscribe("b", { signal }).catch((error: MqttError) => error);
  const { packetId } = await connection.expect(SUBSCRIBE);
  controller.abort(WHY);
  expect(await loop).toEqual({ done: true, value: undefined });
  expect(await other).toMatchObject(aborted);
  connection.say(suback(packetId, 0));
  for (const filter of ["a", "b"]) {
    const unsubscribe = await connection.expect(UNSUBSCRIBE);
    expect(unsubscribe.filters).toEqual([filter]);
    connection.say({ type: UNSUBACK, packetId: unsubscribe.packetId, reasonCodes: [0], properties: NO_PROPERTIES });
  }
  await settled();
  expect(connection.inbox).toEqual([]);
});
