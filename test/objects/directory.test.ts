/** Users and bans over hibernation and resets of the objects that know them, inside the Workers runtime. */

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { encodeHandover, HANDOVER_HEADER } from "../../src/handshake/handover.ts";
import { DIRECTORY_CHANGES_MS } from "../../src/login-limits.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { CONNACK, CONNECT, DISCONNECT, NO_PROPERTIES } from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import { SessionHost } from "../../src/objects/session-host.ts";
import { ban, directory, putUser } from "./directory-support.ts";
import { connect, crash, dropClients, durable, evict, passTime, sessionObject, sessionStub, ways } from "./support.ts";

// Of this file alone: every test file has an isolate of its own, and objects read their settings when they are made.
Object.assign(env, { ADMIN_TOKEN: "an-admin-token-of-tests", ALLOW_ANONYMOUS: "true" });

let count = 0;
const unique = (): string => `directory-${count++}-${crypto.randomUUID().slice(0, 8)}`;

beforeEach(() => putUser("ada", "lovelace"));
afterEach(async () => {
  vi.restoreAllMocks();
  await dropClients();
});

/** A CONNECT as a relay passes it on that has found out long ago who the client is. @returns the Reason Code of CONNACK */
async function relayed(clientId: string, grants: string): Promise<number> {
  const admission = { userName: "ada", address: "", grants, expiresAt: Number.POSITIVE_INFINITY };
  const headers = { Upgrade: "websocket", [HANDOVER_HEADER]: encodeHandover({ relayed: true, admission }) };
  const { webSocket } = await sessionStub(sessionObject(clientId)).fetch("http://broker/mqtt", { headers });
  const socket = webSocket!;
  const connack = new Promise<number>((resolve) => {
    const stream = new PacketStream(1000);
    socket.addEventListener("message", ({ data }) => {
      stream.push(new Uint8Array(data as ArrayBuffer));
      const bytes = stream.next();
      if (bytes instanceof Uint8Array && bytes[0]! >> 4 === CONNACK) resolve(bytes[3]!);
    });
  });
  socket.binaryType = "arraybuffer";
  socket.accept();
  const names = { clientId, userName: "ada", password: undefined, will: undefined };
  socket.send(encodePacket({ type: CONNECT, version: 5, clean: true, keepAliveSeconds: 0, ...names, properties: NO_PROPERTIES }, 5));
  const code = await connack;
  socket.close();
  return code;
}

test.each(ways)("a ban wakes an object that sleeps and ends the connection there (%s)", async (way) => {
  const clientId = unique();
  const client = await connect(clientId, { version: 5, way });
  await evict("all objects");
  expect(await directory().putBan(ban(clientId))).toBeUndefined();
  expect((await client.expect(DISCONNECT)).reasonCode).toBe(0x98);
  await expect(connect(clientId, { version: 5, way })).rejects.toThrow("CONNACK with 138");
});

test("bans and users are there after the directory was reset, and after every object was", async () => {
  const clientId = unique();
  await connect(clientId, { ...durable(5), version: 5 });
  await directory().putBan(ban(clientId));
  await runInDurableObject(directory(), (_object, state) => state.abort("a crash")).catch(() => {});
  await expect(connect(clientId, { ...durable(5), version: 5 })).rejects.toThrow("CONNACK with 138");
  await crash("all objects");
  await expect(connect(clientId, { ...durable(5), version: 5 })).rejects.toThrow("CONNACK with 138");
  await connect(unique(), { userName: "ada", password: "lovelace" });
  await directory().removeBan("clientid", clientId);
  expect((await connect(clientId, { ...durable(5), version: 5 })).sessionPresent).toBe(true);
});

test("an object that can't be told is told by the alarm, also of a directory that was reset meanwhile", async () => {
  const clientId = unique();
  const client = await connect(clientId, { version: 5 });
  vi.spyOn(console, "log").mockImplementation(() => {});
  const learn = vi.spyOn(SessionHost.prototype, "learn").mockRejectedValue(new Error("out of reach"));
  expect(await directory().putBan(ban(clientId))).toBeUndefined();
  await runInDurableObject(directory(), (_object, state) => state.abort("a crash")).catch(() => {});
  expect(client.inbox).toEqual([]);
  learn.mockRestore();
  expect(await runDurableObjectAlarm(directory())).toBe(true);
  expect((await client.expect(DISCONNECT)).reasonCode).toBe(0x98);
});

test("a login with a password that was changed since is refused where its session is, also by an object that has just woken", async () => {
  const [clientId, other] = [unique(), unique()];
  const { user } = await directory().look("ada", -1);
  expect(await relayed(clientId, user!.grants)).toBe(0);
  await putUser("ada", "byron");
  expect(await relayed(clientId, user!.grants)).toBe(0x86);
  await crash("all objects");
  expect(await relayed(other, user!.grants)).toBe(0x86);
  const now = (await directory().look("ada", -1)).user!;
  expect(await relayed(other, now.grants)).toBe(0);
});

test("a ban that is over is swept by the alarm and costs nothing any more", async () => {
  const clientId = unique();
  await directory().putBan(ban(clientId, { until: Date.now() + 600_000 }));
  await expect(connect(clientId)).rejects.toThrow("CONNACK with 5");
  passTime(600_001);
  await connect(clientId);
  vi.spyOn(console, "log").mockImplementation(() => {});
  expect(await runDurableObjectAlarm(directory())).toBe(true);
  const rows = await runInDurableObject(directory(), (_object, { storage }) =>
    storage.sql.exec("SELECT 1 FROM ban WHERE who = ?", clientId).toArray(),
  );
  expect(rows).toEqual([]);
});

test("what adding, changing and banning cost: rows", async () => {
  const cost = async (run: () => Promise<unknown>): Promise<number> => {
    const before = (await directory().usage()).rowsWritten;
    await run();
    return (await directory().usage()).rowsWritten - before;
  };
  const changes = () => runInDurableObject(directory(), (_object, { storage }) => storage.sql.exec("SELECT 1 FROM change").toArray());
  const entry = (user: string, password: string) => ({ user, password, rights: "{}" });
  for (const password of ["x", "y"]) await directory().putUsers([entry("first", password)], "put");
  const hundred = Array.from({ length: 100 }, (_, index) => entry(`device-${unique()}-${index}`, "x"));
  passTime(2 * DIRECTORY_CHANGES_MS);
  expect(await changes()).not.toEqual([]);
  await runDurableObjectAlarm(directory());
  // A login that would have to know of them can't arrive any more.
  expect(await changes()).toEqual([]);
  // A row each, and one that counts the changes.
  expect(await cost(() => directory().putUsers(hundred, "add"))).toBe(101);
  expect(await cost(() => directory().putUsers(hundred, "put"))).toBe(0);
  await directory().putBan(ban(unique(), { until: Date.now() + 3_600_000 }));
  await evictDurableObject(directory());
  expect((await directory().usage()).rowsWritten).toBe(0);
  const objects = 4;
  // Who has to be told is written, and deleted when it was; an alarm, if none is set.
  expect(await cost(() => directory().removeUser(hundred[0]!.user))).toBeLessThanOrEqual(5 + 2 * objects);
  expect(await cost(() => directory().putBan(ban(unique())))).toBeLessThanOrEqual(3 + 2 * objects);
});

test("logins ask the directory once in a while, however many there are", async () => {
  const asked = async (): Promise<number> => (await directory().usage()).calls;
  await evict("all objects");
  await connect(unique(), { userName: "ada", password: "lovelace" });
  const before = await asked();
  for (let time = 0; time < 24; time += 1) await connect(unique(), { userName: "ada", password: "lovelace" });
  // One for each Session object that had not woken: what they are told of her the Worker knows already.
  expect((await asked()) - before).toBeLessThanOrEqual(3);
  await evictDurableObject(directory());
});
