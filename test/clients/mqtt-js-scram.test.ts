/** MQTT.js with an Authentication Method: what a web developer writes to log in by SCRAM and to re-authenticate. */

import mqtt, { type MqttClient } from "mqtt";
import type { IAuthPacket } from "mqtt-packet";
import { afterEach, expect, test } from "vitest";
import { USERS } from "../support/auth-packets.ts";
import { describeTopologies } from "../support/brokers.ts";
import { unique } from "../support/mqtt-client.ts";
import { SCRAM_SHA_256, ScramClient } from "../support/scram-client.ts";

let client: MqttClient | undefined;
afterEach(() => client?.endAsync(true));

interface Login {
  readonly client: MqttClient;
  /** Resolves with the broker's AUTH 0x00. */
  reauthenticate(password: string): Promise<IAuthPacket>;
}

function login(url: string, password: string): Login {
  const first = new ScramClient("ada", password);
  let scram = first;
  let succeeded: (packet: IAuthPacket) => void = () => {};
  client = mqtt.connect(url, {
    protocolVersion: 5,
    clientId: unique("c"),
    reconnectPeriod: 0,
    properties: { authenticationMethod: SCRAM_SHA_256, authenticationData: Buffer.from(first.first()) },
  });
  client.handleAuth = (packet, callback) => {
    if (packet.reasonCode === 0) {
      succeeded(packet);
      callback();
      return;
    }
    void scram.final(packet.properties?.authenticationData).then((final) => {
      const properties = { authenticationMethod: SCRAM_SHA_256, authenticationData: Buffer.from(final) };
      callback(undefined, { cmd: "auth", reasonCode: 0x18, properties });
    });
  };
  const loggedIn = client;
  return {
    client: loggedIn,
    reauthenticate(again) {
      scram = new ScramClient("ada", again);
      const properties = { authenticationMethod: SCRAM_SHA_256, authenticationData: Buffer.from(scram.first()) };
      return new Promise((resolve) => {
        succeeded = resolve;
        // MQTT.js has no public way to send AUTH.
        (loggedIn as unknown as { _sendPacket(packet: IAuthPacket): void })._sendPacket({ cmd: "auth", reasonCode: 0x19, properties });
      });
    },
  };
}

describeTopologies(
  (broker) => {
    test("MQTT.js logs in by SCRAM, publishes and re-authenticates", async () => {
      const session = login(broker.mqttUrl, "lovelace");
      await new Promise((resolve, reject) => session.client.once("connect", resolve).once("error", reject));
      const topic = unique();
      const texts: string[] = [];
      session.client.on("message", (_topic, payload) => texts.push(payload.toString()));
      await session.client.subscribeAsync(topic, { qos: 1 });
      await session.client.publishAsync(topic, "before", { qos: 1 });
      expect(await session.reauthenticate("lovelace")).toMatchObject({
        reasonCode: 0,
        properties: { authenticationMethod: SCRAM_SHA_256 },
      });
      await session.client.publishAsync(topic, "after", { qos: 1 });
      await expect.poll(() => texts).toEqual(["before", "after"]);
    });

    test("MQTT.js hears why it is refused", async () => {
      const session = login(broker.mqttUrl, "wrong");
      const error = await new Promise((resolve) => session.client.once("error", resolve));
      expect(error).toMatchObject({ code: 0x87 });
    });
  },
  { USERS },
);
