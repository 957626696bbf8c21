/** A packet above the maximum ends its connection, which a 3.x client is not told: who runs the broker finds client and size in the log. */

import { expect, test } from "vitest";
import { startBroker } from "../../scripts/local/local-broker.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { MqttTestClient, publishPacket, unique } from "../support/mqtt-client.ts";

test.each([
  ["compact", "compact", ""],
  ["relayed", "sharded", ""],
  ["handed over", "sharded", "?clientId="],
] as const)("[MQTT5-3.2.2-15] a packet that is too large is logged with its client and its size, %s", async (_shape, topology, query) => {
  let found: (line: string) => void = () => {};
  const broker = await startBroker({
    env: { TOPOLOGY: topology, ALLOW_ANONYMOUS: "true", PACKET_BYTES_MAX: "200" },
    log: (line) => {
      if (line.includes("packet too large")) found(line);
    },
  });
  try {
    for (const version of [3, 4, 5] as const) {
      const logged = new Promise<string>((resolve) => {
        found = resolve;
      });
      const clientId = unique("c");
      const client = await MqttTestClient.open(broker.mqttUrl + (query && query + clientId));
      await client.connect({ version, clientId });
      client.sendBytes(encodePacket(publishPacket("t", "x".repeat(300)), version));
      expect((await client.closed).code).toBe(1009);
      const problem = `packet of ${version === 5 ? 307 : 306} bytes: expected at most 200`;
      expect(JSON.parse(await logged)).toEqual({ event: "packet too large", client: clientId, problem });
    }
  } finally {
    await broker.dispose();
  }
});
