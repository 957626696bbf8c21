/** A bridge of another broker as a client: what mosquitto's sends with its default settings, and what it means by it. */

import { expect, it } from "vitest";
import { describeTopologies } from "../../support/brokers.ts";
import { type ConnectOptions, unique } from "../../support/mqtt-client.ts";

/** mosquitto 2: level 0x84, Clean Session 0, and a retained will on the topic where it also publishes "1" when it is connected. */
function asMosquitto(version: 3 | 4 = 4): ConnectOptions & { readonly state: string } {
  const clientId = unique("b");
  const state = `$SYS/broker/connection/${clientId}/state`;
  return {
    version,
    bridge: true,
    clientId,
    clean: false,
    keepAliveSeconds: 60,
    state,
    will: { topic: state, payload: "0", qos: 1, retain: true },
  };
}

describeTopologies((broker) => {
  it.each([3, 4] as const)(
    "[MQTT311-3.1.2-2] [3.1/connect/name] a bridge of version %s is served, and tells whether it is there",
    async (version) => {
      const { state, ...options } = asMosquitto(version);
      const watcher = await broker.connect();
      await watcher.subscribe("$SYS/broker/connection/+/state", { qos: 1 });
      const bridge = await broker.connect(options);
      await bridge.publish(state, "1", { qos: 1, retain: true });
      expect(await watcher.texts(1)).toEqual(["1"]);
      bridge.terminate();
      expect(await watcher.texts(1)).toEqual(["0"]);
      const late = await broker.connect();
      await late.subscribe(state);
      expect(await late.message()).toMatchObject({ retain: true });
      await late.publish(state, "", { qos: 1, retain: true });
    },
  );

  it("what a bridge brought does not come back to it, and RETAIN says what is retained", async () => {
    const topic = unique();
    const { state, ...options } = asMosquitto();
    const bridge = await broker.connect(options);
    await bridge.subscribe(`${topic}/#`, { qos: 1 });
    const other = await broker.connect();
    await other.subscribe(`${topic}/#`, { qos: 1 });
    await bridge.publish(`${topic}/in`, "in", { qos: 1, retain: true });
    await other.publish(`${topic}/out`, "out", { qos: 1, retain: true });
    expect(await bridge.message()).toMatchObject({ topic: `${topic}/out`, retain: true });
    expect(await other.message()).toMatchObject({ topic: `${topic}/in`, retain: false });
    await bridge.disconnect();
    for (const each of ["in", "out"]) await other.publish(`${topic}/${each}`, "", { qos: 1, retain: true });
  });

  it("[MQTT311-3.9.3-2] what is below $SYS besides is refused, for there is nothing", async () => {
    const client = await broker.connect();
    expect((await client.subscribe("$SYS/#")).reasonCodes).toEqual([0x80]);
    expect((await client.subscribe("$share/g/$SYS/broker/uptime")).reasonCodes).toEqual([0x80]);
    expect((await client.subscribe("$SYS/broker/connection/#")).reasonCodes).toEqual([0]);
    const five = await broker.connect({ version: 5 });
    expect((await five.subscribe("$SYS/#")).reasonCodes).toEqual([0x87]);
  });
});
