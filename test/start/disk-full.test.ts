/** A broker whose disk fills up: what is refused, what goes on, what is said, and that all comes back by itself. */
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { afterEach, describe, expect, it } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { connectMqtt, newFolder, nextMessage } from "./command.ts";

const GIBIBYTE = 1024 ** 3;

const brokers: Broker[] = [];
afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.dispose();
});

/** A broker on a disk of which a test says how much is free. */
async function onDisk(topology: string) {
  const disk = { free: 10 * GIBIBYTE, total: 10 * GIBIBYTE };
  const lines: string[] = [];
  let said: (() => void) | undefined;
  const broker = await startBroker({
    data: newFolder(),
    env: { ALLOW_ANONYMOUS: "true", TOPOLOGY: topology },
    diskSpace: () => ({ ...disk }),
    log: (line) => {
      lines.push(line);
      said?.();
    },
  });
  brokers.push(broker);
  const health = async () => {
    const response = await fetch(`${broker.url}/health`);
    return { code: response.status, ...((await response.json()) as object) };
  };
  /** Resolves when the objects know it: they are told right after it is logged, so a question behind that one is answered after it. */
  const change = async (free: number): Promise<void> => {
    disk.free = free;
    await new Promise<void>((resolve) => {
      said = resolve;
    });
    await broker.watched();
  };
  return { broker, lines, health, change };
}

const KEPT: IClientOptions = { protocolVersion: 5, clean: false, properties: { sessionExpiryInterval: 3600 } };
const CLEAN: IClientOptions = { protocolVersion: 5, clean: true };

/** @returns the Reason Code of the answer to a message */
async function outcome(client: MqttClient, topic: string, qos: 1 | 2, retain = false): Promise<number> {
  try {
    const packet = (await client.publishAsync(topic, "x", { qos, retain })) as { reasonCode?: number } | undefined;
    return packet?.reasonCode ?? 0;
  } catch (error) {
    return (error as { code: number }).code;
  }
}

function closed(client: MqttClient): Promise<void> {
  return new Promise((resolve) => client.once("close", () => resolve()));
}

describe.each(["compact", "sharded"])("a disk without room, %s", (topology) => {
  it("refuses what needs rows with a reason, serves the rest, says so once, and takes everything again when there is room", async () => {
    const { broker, lines, health, change } = await onDisk(topology);
    const keeper = await connectMqtt(broker.mqttUrl, { ...KEPT, clientId: "keeper" });
    await keeper.subscribeAsync("kept", { qos: 2 });
    const got: string[] = [];
    keeper.on("message", (topic) => got.push(topic));
    const reader = await connectMqtt(broker.mqttUrl, { ...CLEAN, clientId: "reader" });
    await reader.subscribeAsync(["live", "state"], { qos: 2 });
    const publisher = await connectMqtt(broker.mqttUrl, { ...CLEAN, clientId: "publisher" });
    const old = await connectMqtt(broker.mqttUrl, { protocolVersion: 4, clientId: "old" });
    expect(await outcome(publisher, "kept", 1)).toBe(0);

    await change(0);
    expect(await health()).toMatchObject({ code: 503, status: "storage full", notes: [expect.stringMatching(/^The disk of .* is full/)] });
    expect([await outcome(publisher, "kept", 1), await outcome(publisher, "kept", 2)]).toEqual([0x97, 0x97]);
    expect(await outcome(publisher, "state", 1, true)).toBe(0x97);
    // The exchange of a kept session would need a row, whoever gets the message.
    expect([await outcome(keeper, "live", 2), await outcome(keeper, "live", 1)]).toEqual([0x97, 0]);
    // 3.x can't be told: without an answer and with a new connection it sends the message again.
    const isClosed = closed(old);
    const unanswered = old.publishAsync("kept", "x", { qos: 1 }).catch(() => {});
    await isClosed;
    void unanswered;
    await expect(connectMqtt(broker.mqttUrl, { ...KEPT, clientId: "new" })).rejects.toMatchObject({ code: 0x97 });
    await expect(keeper.subscribeAsync("more", { qos: 1 })).rejects.toThrow();
    // Nothing of this needs a row.
    for (const qos of [0, 1, 2] as const) {
      const message = nextMessage(reader);
      await publisher.publishAsync("live", String(qos), { qos });
      expect(await message).toMatchObject({ payload: String(qos) });
    }
    await connectMqtt(broker.mqttUrl, { ...CLEAN, clientId: "another" });
    // Nor is a session that is kept already shut out.
    await keeper.endAsync();
    const back = mqtt.connect(broker.mqttUrl, { ...KEPT, clientId: "keeper", reconnectPeriod: 0 });
    back.on("message", (topic) => got.push(topic));
    await new Promise<void>((resolve) => back.once("connect", () => resolve()));

    await change(5 * GIBIBYTE);
    expect(await health()).toMatchObject({ code: 200, status: "ok", notes: [] });
    expect([await outcome(publisher, "kept", 1), await outcome(publisher, "kept", 2)]).toEqual([0, 0]);
    expect(await outcome(publisher, "state", 1, true)).toBe(0);
    await connectMqtt(broker.mqttUrl, { ...KEPT, clientId: "new" });
    await back.subscribeAsync("last", { qos: 1 });
    const last = nextMessage(back);
    await publisher.publishAsync("last", "x", { qos: 1 });
    await last;
    await back.endAsync();
    expect(got).toEqual(["kept", "kept", "kept", "last"]);
    expect(lines).toEqual([
      expect.stringMatching(/^The disk of .* is full \(0 MiB left\)/),
      expect.stringMatching(/^The disk of .* has room again/),
    ]);
  });
});
