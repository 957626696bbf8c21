/** What is retained and can't be published any more: what it keeps nobody from doing, and how nothing of the broker's own comes in. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { ADMIN_TOKEN, api, done } from "../support/admin-api.ts";

const data = mkdtempSync(join(tmpdir(), "durable-mqtt-unpublishable-"));
let broker: Broker;

const start = (levels: string): Promise<Broker> =>
  startBroker({ data, env: { ALLOW_ANONYMOUS: "true", NAMESPACES: "*", ADMIN_TOKEN, TOPIC_LEVELS_MAX: levels }, log: () => {} });

beforeAll(async () => {
  broker = await start("4");
});
afterAll(async () => {
  await broker.dispose();
  rmSync(data, { recursive: true, force: true });
});

test("retained messages are deleted beside one whose topic has more levels than may be published now, and it is told of", async () => {
  const topics = ["a/1", "a/b/c/d", "a/z"];
  for (const topic of topics) await done(broker.url, "PUT", `/mqtt/retainer/message/${topic}`, { payload: "x" });
  await broker.dispose();
  broker = await start("3");
  expect(await api(broker.url, "DELETE", "/mqtt/retainer/messages?topic=a/%23")).toEqual({
    status: 200,
    body: {
      deleted: 2,
      problems: [{ topic: "a/b/c/d", message: expect.stringContaining("at most 3 are accepted") }],
      meta: { hasnext: false },
    },
  });
  const left = (await done(broker.url, "GET", "/mqtt/retainer/messages?topic=a/%23")) as { data: { topic: string }[] };
  expect(left.data.map(({ topic }) => topic)).toEqual(["a/b/c/d"]);
});

test("an import brings no topic of the broker's own: neither retained nor as a will, but what waits for who listens to them", async () => {
  const session = { kind: "session", client_id: "c", expiry_seconds: 60, next_packet_id: 2, subscriptions: [], messages: [] };
  for (const topic of ["$events/client/connected", "$presence/a"]) {
    const message = { topic, payload: "", qos: 1 };
    const will = { ...message, retain: false, due_at: "never" };
    const waiting = { ...message, retain: false, packet_id: 1, delivered_qos: 1 };
    const own = {
      status: 400,
      body: { code: "BAD_REQUEST", message: expect.stringMatching(/^A message: topics below \$\w+ are the broker's own\.$/) },
    };
    expect(await api(broker.url, "POST", "/portable/retained", JSON.stringify({ ...message, payload: "eA==" }))).toEqual(own);
    expect(await api(broker.url, "POST", "/portable/sessions", JSON.stringify({ ...session, will }))).toEqual(own);
    const listening = { ...session, client_id: topic, messages: [waiting] };
    expect(await api(broker.url, "POST", "/portable/sessions", JSON.stringify(listening))).toMatchObject({ body: { taken: 1 } });
  }
});
