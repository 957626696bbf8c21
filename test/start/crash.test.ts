import { expect, it } from "vitest";
import { startBroker } from "../../scripts/local/local-broker.ts";
import { connectMqtt, nextMessage } from "./command.ts";

it("after a crash of the runtime the broker is back at the same address with what it had acknowledged", async () => {
  const broker = await startBroker({ env: { ALLOW_ANONYMOUS: "true" }, tcpPort: 0 });
  try {
    for (const round of ["first", "second"]) {
      const client = await connectMqtt(broker.mqttUrl);
      await client.publishAsync("crash", round, { qos: 1, retain: true });
      const closed = new Promise<void>((resolve) => client.once("close", resolve));
      await broker.crash();
      await closed;
      for (const url of [broker.mqttUrl, `mqtt://127.0.0.1:${broker.tcpPort}`]) {
        const reader = await connectMqtt(url);
        const message = nextMessage(reader);
        await reader.subscribeAsync("crash", { qos: 1 });
        expect(await message).toEqual({ topic: "crash", payload: round, retained: true });
      }
    }
  } finally {
    await broker.dispose();
  }
});

it("several brokers of one process start at once, and each crashes alone", async () => {
  const brokers = await Promise.all([1, 2, 3].map(() => startBroker({ env: { ALLOW_ANONYMOUS: "true" } })));
  try {
    expect(new Set(brokers.map((broker) => broker.port)).size).toBe(3);
    const clients = await Promise.all(brokers.map((broker) => connectMqtt(broker.mqttUrl)));
    const closed = new Promise<void>((resolve) => clients[1]!.once("close", resolve));
    await brokers[1]!.crash();
    await closed;
    expect(clients.map((client) => client.connected)).toEqual([true, false, true]);
  } finally {
    await Promise.all(brokers.map((broker) => broker.dispose()));
  }
});
