/** Users and bans over a restart with fewer Session objects: sessions are where they were, and what was said of their users holds there too. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { CONNACK } from "../../src/mqtt/packet.ts";
import { sessionObjectName } from "../../src/objects/names.ts";
import { quickHash } from "../auth/support.ts";
import { ADMIN_TOKEN, done, USERS } from "../support/admin-api.ts";
import { connectPacket, MqttTestClient, unique } from "../support/mqtt-client.ts";

const data = mkdtempSync(join(tmpdir(), "durable-mqtt-directory-"));
let broker: Broker;

afterAll(async () => {
  await broker.dispose();
  rmSync(data, { recursive: true });
});

async function start(shards: string, previous: string): Promise<void> {
  const shape = { TOPOLOGY: "sharded", SESSION_SHARDS: shards, TOPIC_SHARDS: "1", PREVIOUS_SHAPES: previous };
  broker = await startBroker({ data, env: { ...shape, ADMIN_TOKEN, ALLOW_ANONYMOUS: "false" } });
}

/** CONNACK of a client with a session that stays. */
async function login(userName: string, clientId: string): Promise<{ code: number; sessionPresent: boolean }> {
  const client = await MqttTestClient.open(broker.mqttUrl, { version: 5, clientId });
  const properties = { sessionExpiryInterval: 3600 };
  client.send(connectPacket({ version: 5, clientId, clean: false, userName, password: "right", properties }));
  const { reasonCode, sessionPresent } = await client.expect(CONNACK);
  client.terminate();
  return { code: reasonCode, sessionPresent };
}

async function addUser(user: string): Promise<void> {
  await done(broker.url, "POST", USERS, { user_id: user, password_hash: await quickHash("right") });
}

/** A Client Identifier whose session is where no object is any more that has sessions of new clients. */
function leftBehind(): string {
  for (;;) {
    const clientId = unique("c");
    if (sessionObjectName({ topology: "sharded", sessionShards: 4 }, "default", clientId).endsWith("/3")) return clientId;
  }
}

test("who is banned can't resume its session, and who was removed has none, wherever it was", async () => {
  await start("4", "");
  const [banned, removed, other] = [leftBehind(), leftBehind(), leftBehind()];
  for (const clientId of [banned, removed, other]) {
    await addUser(`user of ${clientId}`);
    expect(await login(`user of ${clientId}`, clientId)).toEqual({ code: 0, sessionPresent: false });
  }
  await done(broker.url, "POST", "/banned", { as: "clientid", who: banned });
  await broker.dispose();

  await start("2", "4+1");
  await done(broker.url, "DELETE", `${USERS}/${encodeURIComponent(`user of ${removed}`)}`);
  await addUser(`user of ${removed}`);
  expect(await login(`user of ${banned}`, banned)).toEqual({ code: 0x8a, sessionPresent: false });
  expect(await login(`user of ${removed}`, removed)).toEqual({ code: 0, sessionPresent: false });
  expect(await login(`user of ${other}`, other)).toEqual({ code: 0, sessionPresent: true });
  await done(broker.url, "DELETE", `/banned/clientid/${banned}`);
  expect(await login(`user of ${banned}`, banned)).toEqual({ code: 0, sessionPresent: true });
});
