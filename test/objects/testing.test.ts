/** `durable-mqtt/testing` inside the Workers test pool: a client that comes by `SELF`, as tests of other people's Workers have it. */

import { exports } from "cloudflare:workers";
import { expect, it } from "vitest";
import { connectThrough } from "../../testing/index.ts";

const broker = exports.default;

it.each([3, 4, 5] as const)("a client of version %s connects, publishes, and is given what it is subscribed to", async (version) => {
  const client = await connectThrough(broker, { version });
  const messages = await client.subscribe("pool/#", { qos: 1 });
  await client.publish("pool/1", "hi", { qos: 1 });
  for await (const message of messages) {
    expect([message.topic, message.text()]).toEqual(["pool/1", "hi"]);
    break;
  }
  await client.end();
});

it("an answer that is no WebSocket is said", async () => {
  const connecting = connectThrough(broker, { url: "http://broker/nowhere/mqtt", reconnect: false });
  await expect(connecting).rejects.toThrow(/nowhere\/mqtt: 404/);
});
