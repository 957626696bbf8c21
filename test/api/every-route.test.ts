/** Every operation of the document, asked for as it is meant to be: it answers what the document says, on every topology. */

import { afterAll, expect, test } from "vitest";
import { quickHash } from "../auth/support.ts";
import { ADMIN_TOKEN, api } from "../support/admin-api.ts";
import { describeTopologies } from "../support/brokers.ts";
import { openApi } from "../support/contract.ts";
import { unique } from "../support/mqtt-client.ts";

const USERS = "/authentication/password_based:built_in_database/users";

/** What was asked for. */
const asked = new Set<string>();

afterAll(() => {
  const all = Object.entries(openApi.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect([...asked].sort()).toEqual(all.sort());
});

describeTopologies(
  (broker) => {
    /** @param path as the document has it, with what stands in its places @returns the body of the answer */
    async function ask(method: string, path: string, status: number, body?: unknown, places: Readonly<Record<string, string>> = {}) {
      const [plain, query = ""] = path.split(/(?=\?)/);
      asked.add(`${method} ${plain}`);
      const filled = plain!.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(places[name]!));
      const answer = await api(broker.url, method, filled + query, body);
      expect([method, path, answer.status, answer.body]).toEqual([method, path, status, answer.body]);
      return answer.body as Record<string, unknown>;
    }

    /** A stream that begins is all that there is to say of it. @param path as the document has it */
    async function listen(path: string, at: string): Promise<void> {
      asked.add(`GET ${path}`);
      const stream = await fetch(`${broker.url}/api/v5${at}`, { headers: { Authorization: `Bearer ${ADMIN_TOKEN}` } });
      expect([stream.status, stream.headers.get("Content-Type")]).toEqual([200, "text/event-stream; charset=utf-8"]);
      await stream.body!.cancel();
    }

    test("publishing, asking and listening", async () => {
      const topic = unique("t/a");
      const message = { topic, payload: "x", qos: 1, retain: true };
      await ask("POST", "/publish", 202, message);
      const client = await broker.connect({ version: 5 });
      await client.subscribe(topic, { qos: 1 });
      await ask("POST", "/publish", 200, message);
      await ask("POST", "/publish/bulk", 200, [message, { ...message, qos: 0 }]);
      await ask("POST", "/topics/{topic}?qos=1", 200, "raw", { topic });
      const response = unique("answers");
      const answer = ask("POST", "/request", 200, { request: { topic, payload: "question", response_topic: response } });
      await expect.poll(async () => Buffer.from((await client.message()).payload).toString()).toBe("question");
      await client.publish(response, Uint8Array.of(0xff), { qos: 1 });
      expect(await answer).toMatchObject({ payload: "/w==", payload_encoding: "base64" });
      await listen("/subscribe", `/subscribe?filter=${encodeURIComponent(topic)}`);
      await ask("PUT", "/mqtt/retainer/message/{topic}", 204, { payload: "AA==", payload_encoding: "base64" }, { topic });
      await ask("GET", "/mqtt/retainer/messages?topic=%23", 200);
      await ask("GET", "/mqtt/retainer/message/{topic}", 200, undefined, { topic });
      await ask("DELETE", "/mqtt/retainer/message/{topic}", 204, undefined, { topic });
      await ask("DELETE", `/mqtt/retainer/messages?topic=${encodeURIComponent(topic)}`, 200);
    });

    test("clients", async () => {
      const clientid = unique("c/d");
      await broker.connect({ version: 5, clientId: clientid, properties: { sessionExpiryInterval: 600 } });
      await ask("GET", "/clients?limit=1000&conn_state=connected&proto_ver=5", 200);
      await ask("GET", "/clients/{clientid}", 200, undefined, { clientid });
      await listen("/clients/{clientid}/trace", `/clients/${encodeURIComponent(clientid)}/trace`);
      const [one, two] = [unique("f"), unique("f")];
      await ask("POST", "/clients/{clientid}/subscribe", 200, { topic: one, qos: 1 }, { clientid });
      await ask("POST", "/clients/{clientid}/subscribe/bulk", 200, [{ topic: two }, { topic: "$share/g/x/#", qos: 1 }], { clientid });
      await ask("GET", "/clients/{clientid}/subscriptions", 200, undefined, { clientid });
      await ask("GET", `/subscriptions?clientid=${encodeURIComponent(clientid)}`, 200);
      await ask("GET", "/topics?limit=1000", 200);
      await ask("GET", `/presence?filter=${encodeURIComponent(one)}`, 200);
      await ask("POST", "/connections/{clientid}/messages?topic=direct&qos=0", 200, "x", { clientid });
      await ask("POST", "/publish", 200, { topic: one, payload: "x", qos: 1, properties: { message_expiry_interval: 9 } });
      for (const kind of ["mqueue", "inflight"])
        await ask("GET", `/clients/{clientid}/${kind}_messages?payload=base64`, 200, undefined, { clientid });
      await ask("POST", "/clients/{clientid}/unsubscribe", 204, { topic: one }, { clientid });
      await ask("POST", "/clients/{clientid}/unsubscribe/bulk", 204, [{ topic: two }], { clientid });
      for (const path of [
        "/stats",
        "/stats?aggregate=true",
        "/monitor",
        "/monitor_current",
        "/metrics",
        "/metrics?aggregate=true",
        "/usage",
      ])
        await ask("GET", path, 200);
      await ask("DELETE", "/clients/{clientid}", 204, undefined, { clientid });
      await ask("POST", "/clients/kickout/bulk", 204, [clientid]);
    });

    test("users and bans", async () => {
      const user_id = unique("u/v");
      const rights = { is_superuser: false, acl: [{ permission: "allow", action: "all", topics: ["a/#"], qos: [0, 1] }] };
      const password_hash = await quickHash("x");
      await ask("POST", USERS, 201, { user_id, password_hash, ...rights });
      await ask("POST", `${USERS}/import?mode=put`, 200, [{ user_id, password_hash }, { user_id: "" }]);
      await ask("GET", `${USERS}?limit=1`, 200);
      await ask("GET", `${USERS}/{user_id}`, 200, undefined, { user_id });
      await ask("PUT", `${USERS}/{user_id}`, 200, { is_superuser: true, publish: null }, { user_id });
      await ask("POST", "/authorization/check", 200, { username: user_id, action: "subscribe", topic: "a/#", qos: 1 });
      await ask("GET", "/portable/users", 200);
      await ask("DELETE", `${USERS}/{user_id}`, 204, undefined, { user_id });
      const ban = { as: "clientid", who: unique("b/c"), until: "infinity" };
      await ask("POST", "/banned", 200, ban);
      await ask("GET", "/banned?page=1&limit=1", 200);
      await ask("DELETE", "/banned/{as}/{who}", 204, undefined, ban);
    });

    test("what an export has comes in again", async () => {
      const topic = unique("kept");
      const properties = { sessionExpiryInterval: 600 };
      const client = await broker.connect({ version: 5, properties });
      await client.subscribe(`${topic}/#`, { qos: 2 });
      await client.disconnect();
      const sent = { content_type: "a/b", correlation_data: "c", user_properties: [["a", "b"]], payload_format_indicator: 1 };
      for (const retain of [true, false])
        await ask("POST", "/publish", 200, { topic: `${topic}/a`, payload: "x", qos: 2, retain, properties: sent });
      for (const kind of ["sessions", "retained"]) {
        const lines: unknown[] = [];
        for (let cursor: string | undefined = ""; cursor !== undefined; ) {
          const from: string = cursor === "" ? "" : `?cursor=${encodeURIComponent(cursor)}`;
          const { data, meta } = (await ask("GET", `/portable/${kind}${from}`, 200)) as { data: unknown[]; meta: { cursor?: string } };
          lines.push(...data);
          cursor = meta.cursor;
        }
        expect(lines.length).toBeGreaterThan(0);
        const text = lines.map((line) => JSON.stringify(line)).join("\n");
        expect(await ask("POST", `/portable/${kind}?replace=true`, 200, text)).toMatchObject({ problems: [] });
      }
    });
  },
  { ALLOW_ANONYMOUS: "true", ADMIN_TOKEN, MONITOR: "true" },
);
