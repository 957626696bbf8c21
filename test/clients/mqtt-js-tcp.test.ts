/** MQTT.js over plain TCP, through the listener of `npm start -- --tcp`, which also has to outlive the runtime behind it. */

import { describe, expect, it } from "vitest";
import { startBroker } from "../../scripts/local/local-broker.ts";
import { mqttJs, within } from "../support/real-clients.ts";
import { describeClient } from "./client-contract.ts";

const KIND = mqttJs(4, true);

describeClient(KIND);

describe("a broker with a TCP port", () => {
  it("serves TCP and WebSocket clients together, and again after the runtime was killed", async () => {
    const broker = await startBroker({ env: { ALLOW_ANONYMOUS: "true" }, tcpPort: 0 });
    try {
      const tcpUrl = `mqtt://127.0.0.1:${broker.tcpPort}`;
      const before = await KIND.connect(tcpUrl, { clientId: "device", clean: false });
      await before.subscribe("news", 1);
      await broker.crash();
      await within(before.closed, "the end of the connection");
      const web = await mqttJs(5).connect(broker.mqttUrl);
      await web.publish("news", "for a device that is away", 1);
      const after = await KIND.connect(tcpUrl, { clientId: "device", clean: false });
      expect(after.sessionPresent).toBe(true);
      expect((await after.inbox.next()).text).toBe("for a device that is away");
      await Promise.all([after.disconnect(), web.disconnect()]);
    } finally {
      await broker.dispose();
    }
  });
});
