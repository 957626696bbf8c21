/** Users and bans where each client has a Session object of its own: the directory knows those that have said that they are there. */

import { runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { afterEach, expect, test } from "vitest";
import { PAGE_CALLS_MAX } from "../../src/code-limits.ts";
import { DISCONNECT, type Properties } from "../../src/mqtt/packet.ts";
import type { MqttService } from "../../src/service/contract.ts";
import { WorkerdClient } from "../support/workerd-client.ts";
import { ban, directory, putUser } from "./directory-support.ts";

// Of this file alone: every test file has an isolate of its own, and objects read their settings when they are made.
Object.assign(env, { ADMIN_TOKEN: "an-admin-token-of-tests", ALLOW_ANONYMOUS: "true", SESSION_SHARDS: "0" });

const service = (exports as unknown as { readonly MqttService: Service<MqttService> }).MqttService;
const open: WorkerdClient[] = [];

afterEach(() => Promise.all(open.splice(0).map((client) => client.drop())));

interface From {
  readonly properties?: Properties;
  readonly address?: string;
}

async function connect(
  clientId: string,
  userName?: string,
  { properties = {}, address = "203.0.113.9" }: From = {},
): Promise<WorkerdClient> {
  const headers = { Upgrade: "websocket", "CF-Connecting-IP": address };
  const upgrade = (): Promise<Response> => exports.default.fetch(new Request("https://broker.test/mqtt", { headers }));
  const client = await WorkerdClient.connect(upgrade, clientId, {
    version: 5,
    properties,
    ...(userName === undefined ? {} : { userName, password: "right" }),
  });
  open.push(client);
  return client;
}

function presences(): Promise<unknown[]> {
  return runInDurableObject(directory(), (_object, { storage }) =>
    storage.sql.exec("SELECT object FROM presence ORDER BY object").toArray(),
  );
}

test("bans and removals find those whom they concern", async () => {
  await putUser("ada", "right");
  await putUser("bob", "right");
  const [anonymous, ada, bob] = [await connect("c1"), await connect("c2", "ada"), await connect("c3", "bob")];
  await directory().removeUser("ada");
  expect((await ada.expect(DISCONNECT)).reasonCode).toBe(0x87);
  await expect(connect("c2", "ada")).rejects.toThrow("CONNACK with 134");
  await directory().putBan(ban("c3"));
  expect((await bob.expect(DISCONNECT)).reasonCode).toBe(0x98);
  expect(anonymous.inbox).toEqual([]);
  await directory().putBan(ban("203.0.113.0/24", { kind: "peerhost_net" }));
  expect((await anonymous.expect(DISCONNECT)).reasonCode).toBe(0x98);
  await expect(connect("c4")).rejects.toThrow("CONNACK with 138");
  expect(await presences()).toEqual([]);
});

test("a client that is refused leaves the one who is there where the directory finds it", async () => {
  for (const user of ["eve", "mallory"]) await putUser(user, "right");
  const there = await connect("taken", "mallory", { address: "198.51.100.9" });
  await expect(connect("taken", "eve", { address: "198.51.100.8" })).rejects.toThrow("CONNACK with 133");
  await expect
    .poll(() => runInDurableObject(directory(), (_object, { storage }) => storage.sql.exec("SELECT user, address FROM presence").toArray()))
    .toEqual([{ user: "mallory", address: "198.51.100.9" }]);
  await directory().putBan(ban("mallory", { kind: "username" }));
  expect((await there.expect(DISCONNECT)).reasonCode).toBe(0x98);
});

test("another Worker is given the clients that have connected, connected or not, page by page at a bounded cost", async () => {
  const names = Array.from({ length: 2 * PAGE_CALLS_MAX }, (_, index) => `p-${String(index).padStart(2, "0")}`);
  const address = "198.51.100.7";
  const away = await connect(names[0]!, undefined, { address, properties: { sessionExpiryInterval: 1000 } });
  for (const clientId of names.slice(1, -1)) await connect(clientId, undefined, { address });
  await away.disconnect();
  // One whose session is over, and one of the broker's own, which lasts as long as the call: neither is there.
  await (await connect(names.at(-1)!, undefined, { address })).disconnect();
  await (await service.subscribe("a", { qos: 1 })).return();
  const found: string[] = [];
  let pages = 0;
  for (let cursor: string | undefined, isFirst = true; isFirst || cursor !== undefined; isFirst = false) {
    const page = await service.clients({ cursor, limit: 1000 });
    pages += 1;
    expect(page.clients.length).toBeLessThan(PAGE_CALLS_MAX);
    found.push(...page.clients.map(({ clientId, connected }) => `${clientId} ${connected}`));
    cursor = page.cursor;
  }
  expect(found).toEqual(names.slice(0, -1).map((name, index) => `${name} ${index > 0}`));
  expect(pages).toBe(3);
  expect((await service.clients({ limit: 2 })).clients.map(({ clientId }) => clientId)).toEqual(names.slice(0, 2));
  expect((await presences()).length).toBe(names.length);
  // What is told of them finds those that are away, too.
  await directory().putBan(ban("198.51.100.0/24", { kind: "peerhost_net" }));
  expect((await service.clients({ limit: 1000 })).clients).toMatchObject([{ clientId: names[0], connected: false }]);
});

test("who is there is asked of the objects that want the filter, page by page, and of no other", async () => {
  const names = Array.from({ length: PAGE_CALLS_MAX + 4 }, (_, index) => `r-${String(index).padStart(2, "0")}`);
  const clients = await Promise.all(names.map((name) => connect(name, undefined, { address: "192.0.2.5" })));
  for (const client of clients.slice(1)) await client.subscribe("a/room", 1);
  const found: string[] = [];
  const pages: number[] = [];
  for (let cursor: string | undefined = ""; cursor !== undefined; ) {
    const from: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const request = new Request(`https://broker.test/api/v5/presence?filter=a/room${from}`, {
      headers: { Authorization: `Bearer ${env.ADMIN_TOKEN}` },
    });
    const { data, meta } = (await (await exports.default.fetch(request)).json()) as {
      data: { clientid: string; username: string | null }[];
      meta: { cursor?: string };
    };
    found.push(...data.map(({ clientid, username }) => `${clientid} ${username}`));
    pages.push(data.length);
    cursor = meta.cursor;
  }
  expect(found.sort()).toEqual(names.slice(1).map((name) => `${name} null`));
  expect(Math.max(...pages)).toBeLessThan(PAGE_CALLS_MAX);
});
