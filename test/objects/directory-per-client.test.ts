/** Users and bans where each client has a Session object of its own: the directory knows those that have said that they are there. */

import { runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { afterEach, expect, test } from "vitest";
import { DISCONNECT } from "../../src/mqtt/packet.ts";
import { WorkerdClient } from "../support/workerd-client.ts";
import { ban, directory, putUser } from "./directory-support.ts";

// Of this file alone: every test file has an isolate of its own, and objects read their settings when they are made.
Object.assign(env, { ADMIN_TOKEN: "an-admin-token-of-tests", ALLOW_ANONYMOUS: "true", SESSION_SHARDS: "0" });

const open: WorkerdClient[] = [];

afterEach(() => Promise.all(open.splice(0).map((client) => client.drop())));

async function connect(clientId: string, userName?: string): Promise<WorkerdClient> {
  const headers = { Upgrade: "websocket", "CF-Connecting-IP": "203.0.113.9" };
  const upgrade = (): Promise<Response> => exports.default.fetch(new Request("https://broker.test/mqtt", { headers }));
  const client = await WorkerdClient.connect(upgrade, clientId, {
    version: 5,
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
