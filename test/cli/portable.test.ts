/**
 * `durable-mqtt export` and `import`: what one broker keeps into another one of another topology, what clients find there, and what becomes of it
 * when it is done twice, on brokers that are in use, and when one of them dies in the middle.
 */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { CONNACK, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL } from "../../src/mqtt/packet.ts";
import { quickHash } from "../auth/support.ts";
import { newFolder, start } from "../start/command.ts";
import { ADMIN_TOKEN, api, done, USERS } from "../support/admin-api.ts";
import { acknowledgement, MqttTestClient, publishPacket, textOf, unique } from "../support/mqtt-client.ts";
import { callCommand, type Result } from "./support.ts";

const SHAPES = {
  compact: { TOPOLOGY: "compact" },
  sharded: { TOPOLOGY: "sharded", SESSION_SHARDS: "4", TOPIC_SHARDS: "4", TOPICS_WITH_OBJECT: "hot/topic" },
  own: { TOPOLOGY: "sharded", SESSION_SHARDS: "0", TOPIC_SHARDS: "2" },
} as const;

type ShapeName = keyof typeof SHAPES;

const folder = mkdtempSync(join(tmpdir(), "durable-mqtt-portable-"));
let brokers: Record<ShapeName, Broker>;

beforeAll(async () => {
  const start = (shape: object): Promise<Broker> =>
    startBroker({ env: { ALLOW_ANONYMOUS: "true", NAMESPACES: "*", ADMIN_TOKEN, ...shape }, log: () => {} });
  const [compact, sharded, own] = await Promise.all(Object.values(SHAPES).map(start));
  brokers = { compact: compact!, sharded: sharded!, own: own! };
});
afterAll(async () => {
  await Promise.all(Object.values(brokers).map((broker) => broker.dispose()));
  rmSync(folder, { recursive: true, force: true });
});

/** Each test has a namespace of its own. */
const urlOf = (broker: Broker, namespace: string): string => broker.mqttUrl.replace(/mqtt$/, `${namespace}/mqtt`);

const run = (name: string, broker: Broker, namespace: string, file: string, ...args: string[]): Promise<Result> =>
  callCommand([name, file, "--url", broker.url, "--namespace", namespace, ...args], { ADMIN_TOKEN });

interface Line {
  readonly kind: string;
  readonly client_id?: string;
  readonly messages: readonly { readonly packet_id: number; readonly payload: string; readonly sent: boolean }[];
  readonly expires_at?: string;
}

/** @returns the file, and its lines */
async function exported(broker: Broker, namespace: string): Promise<{ file: string; lines: Line[] }> {
  const file = join(folder, unique("export"));
  const { code, stdout, stderr } = await run("export", broker, namespace, file);
  expect([code, stdout, stderr]).toEqual([
    0,
    "",
    expect.stringMatching(/^\S+ has \d+ users, \d+ bans, \d+ retained messages, \d+ sessions\.\n$/),
  ]);
  return {
    file,
    lines: readFileSync(file, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Line),
  };
}

async function imported(
  broker: Broker,
  namespace: string,
  file: string,
): Promise<Record<string, { taken: number; there: number; failed: number }>> {
  const { code, stdout, stderr } = await run("import", broker, namespace, file, "--json");
  // How far it is, where it takes longer than a second.
  expect([code, stderr]).toEqual([0, expect.stringMatching(PROGRESS)]);
  return JSON.parse(stdout);
}

/** Lines of it. */
const PROGRESS = /^(?:\d+(?: of \d+)? [^\n]* \.\.\.\n)*$/;

const some = (taken: number, there = 0, failed = 0) => ({ taken, there, failed });

const KEPT = { version: 5, clean: false, properties: { sessionExpiryInterval: 3600 } } as const;

async function client(url: string, clientId = unique("c"), options: object = { version: 5 }): Promise<MqttTestClient> {
  const opened = await MqttTestClient.open(url, { autoAck: false, clientId });
  expect((await opened.connect(options)).reasonCode).toBe(0);
  return opened;
}

const ADA = { ...KEPT, userName: "ada", password: "lovelace" } as const;

/** A session with something in every state that there is, whose client is lost then. @param t what its names begin with */
async function prepare(url: string, t: string): Promise<void> {
  const device = await client(url, `${t}-device`, {
    ...ADA,
    will: { topic: `${t}/will`, payload: "gone", properties: { willDelayInterval: 3600 } },
  });
  const publisher = await client(url);
  await device.subscribe(`${t}/a/+`, { qos: 2, properties: { subscriptionIdentifiers: [7] } });
  await device.subscribe(`$share/g/${t}/b`, { qos: 1 });
  await publisher.publish(`${t}/a/1`, "one", { qos: 1 });
  await publisher.publish(`${t}/a/2`, "two", { qos: 2 });
  await publisher.publish(`${t}/a/3`, "three", { qos: 2 });
  const [one, two, three] = await device.messages(3);
  expect([one, two, three].map((message) => textOf(message!))).toEqual(["one", "two", "three"]);
  device.send(acknowledgement(PUBREC, two!.packetId));
  await device.expect(PUBREL);
  const received = device.acknowledged(PUBREC, 99);
  device.send(publishPacket(`${t}/from`, "from the device", { qos: 2, packetId: 99 }));
  await received;
  // Without DISCONNECT.
  await device.close();
  const properties = { messageExpiryInterval: 5000, contentType: "text/plain", userProperties: [["a", "b"]] } as const;
  await publisher.publish(`${t}/a/4`, "four", { qos: 1, properties });
  await publisher.publish(`${t}/b`, "five", { qos: 1 });
  await publisher.disconnect();
}

/** What its client finds. */
async function expectAll(url: string, t: string): Promise<void> {
  const watcher = await client(url);
  await watcher.subscribe(`${t}/from`, { qos: 0 });
  // Its client is away still: also of the shared subscription it is a member.
  await watcher.publish(`${t}/b`, "meanwhile", { qos: 1 });
  const device = await client(url, `${t}-device`, ADA);
  expect(device.connack).toMatchObject({ type: CONNACK, sessionPresent: true });
  const [came, releases] = [[] as string[], [] as number[]];
  while (came.length + releases.length < 6) {
    const packet = await device.next();
    if (packet.type === PUBREL) releases.push(packet.packetId);
    if (packet.type !== PUBLISH) continue;
    const identifiers = packet.properties.subscriptionIdentifiers ?? [];
    came.push(
      `${textOf(packet)} ${packet.qos} ${packet.dup} ${packet.packetId} ${identifiers.join()} ${packet.properties.contentType ?? ""}`.trim(),
    );
    if (textOf(packet) === "four") {
      expect(packet.properties.messageExpiryInterval).toBeGreaterThan(4900);
      expect(packet.properties.userProperties).toEqual([["a", "b"]]);
    }
    if (packet.qos === 1) device.send(acknowledgement(PUBACK, packet.packetId));
    else device.send(acknowledgement(PUBREC, packet.packetId));
  }
  expect(came).toEqual(["one 1 true 1 7", "three 2 true 3 7", "four 1 false 4 7 text/plain", "five 1 false 5", "meanwhile 1 false 6"]);
  expect(releases).toEqual([2]);
  device.send(acknowledgement(PUBCOMP, 2));
  expect((await device.expect(PUBREL)).packetId).toBe(3);
  device.send(acknowledgement(PUBCOMP, 3));
  // The broker has it: it goes nowhere once more.
  const again = device.acknowledged(PUBREC, 99);
  device.send(publishPacket(`${t}/from`, "from the device", { qos: 2, packetId: 99, dup: true }));
  await again;
  await watcher.silence(watcher);
  // Its subscriptions are there.
  await watcher.publish(`${t}/a/6`, "six", { qos: 1 });
  await watcher.publish(`${t}/b`, "seven", { qos: 1 });
  expect(await device.texts(2)).toEqual(["six", "seven"]);
  await device.disconnect();
  await watcher.disconnect();
}

describe.each([
  ["compact", "sharded"],
  ["sharded", "own"],
  ["own", "compact"],
] as const)("from %s to %s", (from, to) => {
  it("goes all that is kept, once, however often it is brought, and from there on to where it came from", async () => {
    const t = unique("t");
    const [source, target] = [brokers[from], brokers[to]];
    const query = `?namespace=${t}`;
    await done(source.url, "POST", `${USERS}${query}`, {
      user_id: "ada",
      password_hash: await quickHash("lovelace"),
      publish: ["$home/#", "#"],
      subscribe: ["#"],
    });
    await done(source.url, "POST", `/banned${query}`, { as: "clientid", who: "mallory", reason: "r", until: "2099-01-01T00:00:00Z" });
    await prepare(urlOf(source, t), t);
    const publisher = await client(urlOf(source, t));
    const properties = { contentType: "a\u2028b", correlationData: Uint8Array.of(0, 255), messageExpiryInterval: 4000 } as const;
    for (let n = 0; n < 5; n += 1)
      await publisher.publish(`${t}/retained/${n}`, Uint8Array.of(0xff, n), { qos: 1, retain: true, properties });
    await publisher.publish("hot/topic", "hot", { qos: 1, retain: true });
    await publisher.disconnect();
    // No filter matches it together with others.
    const owner = await client(urlOf(source, t), unique("o"), { version: 5, userName: "ada", password: "lovelace" });
    await owner.publish("$home/kept", "at home", { qos: 1, retain: true });
    // Figures of that broker; what a bridge tells of itself is among the seven.
    await owner.publish("$SYS/broker/clients/connected", "7", { qos: 1, retain: true });
    await owner.disconnect();

    const { file, lines } = await exported(source, t);
    const kinds = { user: 1, ban: 1, retained: 7, session: 1 };
    expect(lines.at(-1)).toEqual({ kind: "end", ...kinds });
    const session = lines.find(({ kind }) => kind === "session")!;
    expect(session.messages.map(({ payload, sent }) => [Buffer.from(payload, "base64").toString(), sent])).toEqual([
      ["one", true],
      ["three", true],
      ["four", false],
      ["five", false],
    ]);
    expect(await imported(target, t, file)).toEqual({ user: some(1), ban: some(1), retained: some(7), session: some(1) });
    expect(await imported(target, t, file)).toEqual({ user: some(0, 1), ban: some(0, 1), retained: some(0, 7), session: some(0, 1) });
    expect(await imported(source, t, file)).toEqual({ user: some(0, 1), ban: some(0, 1), retained: some(0, 7), session: some(0, 1) });

    // What is told of it there is what was told of it here.
    const there = await exported(target, t);
    const bare = (all: readonly Line[]): unknown =>
      all
        .filter(({ kind }) => kind === "session" || kind === "retained")
        .map(({ expires_at: _, ...line }) => line)
        .sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
    expect(bare(there.lines)).toEqual(bare(lines));
    expect(there.lines.at(-1)).toEqual(lines.at(-1));

    await expectAll(urlOf(target, t), t);
    const reader = await client(urlOf(target, t));
    await reader.subscribe(`${t}/retained/#`, { qos: 1 });
    const retained = await reader.messages(5);
    expect(retained.map(({ payload, retain }) => [...payload, retain]).sort()).toEqual([0, 1, 2, 3, 4].map((n) => [0xff, n, true]));
    expect(retained[0]!.properties).toMatchObject({ contentType: "a\u2028b", correlationData: Uint8Array.of(0, 255) });
    expect(retained[0]!.properties.messageExpiryInterval).toBeGreaterThan(3900);
    await reader.disconnect();
    const ada = await MqttTestClient.open(urlOf(target, t));
    expect((await ada.connect({ version: 5, userName: "ada", password: "lovelace" })).reasonCode).toBe(0);
    await ada.disconnect();
    const mallory = await MqttTestClient.open(urlOf(target, t));
    expect((await mallory.connect({ version: 5, clientId: "mallory" })).reasonCode).toBe(0x8a);
  });
});

describe("a broker that is in use", () => {
  it("goes on: what is told of a client that is connected is a copy, which waits where it was brought", async () => {
    const t = unique("t");
    const source = urlOf(brokers.sharded, t);
    const [device, publisher] = [await client(source, `${t}-device`, KEPT), await client(source)];
    await device.subscribe(`${t}/+`, { qos: 1 });
    await publisher.publish(`${t}/a`, "sent and not acknowledged", { qos: 1 });
    const { packetId } = await device.message();
    const { file, lines } = await exported(brokers.sharded, t);
    expect(lines.filter(({ kind }) => kind === "session").map(({ expires_at }) => expires_at)).toEqual([undefined]);
    expect((await imported(brokers.compact, t, file)).session).toEqual(some(1));
    expect((await imported(brokers.sharded, t, file)).session).toEqual(some(0, 1));
    device.send(acknowledgement(PUBACK, packetId));
    await publisher.publish(`${t}/b`, "here", { qos: 1 });
    expect(await device.texts(1)).toEqual(["here"]);
    const copy = await client(urlOf(brokers.compact, t), `${t}-device`, KEPT);
    expect((await copy.message()).dup).toBe(true);
    for (const each of [device, publisher, copy]) await each.disconnect();
  });

  it("what is faster told than written is waited for", async () => {
    const t = unique("t");
    const publisher = await client(urlOf(brokers.compact, t));
    const payload = "x".repeat(60_000);
    for (let index = 0; index < 40; index += 1) await publisher.publish(`${t}/${index}`, payload, { qos: 1, retain: true });
    await publisher.disconnect();
    expect((await exported(brokers.compact, t)).lines.filter(({ kind }) => kind === "retained")).toHaveLength(40);
  });

  it("a session that ends with its connection is not told of, nor one that is brought to a client that is there", async () => {
    const t = unique("t");
    const brief = await client(urlOf(brokers.compact, t), `${t}-device`);
    await brief.subscribe(`${t}/a`, { qos: 1 });
    expect((await exported(brokers.compact, t)).lines).toHaveLength(2);
    const kept = await client(urlOf(brokers.sharded, t), `${t}-device`, KEPT);
    await kept.subscribe(`${t}/b`, { qos: 1 });
    const { file } = await exported(brokers.sharded, t);
    expect((await imported(brokers.compact, t, file)).session).toEqual(some(0, 1));
    await brief.publish(`${t}/b`, "not subscribed to here", { qos: 1 });
    await brief.silence();
    for (const each of [brief, kept]) await each.disconnect();
  });

  it.each(["compact", "sharded", "own"] as const)("%s: whoever connects meanwhile has all of it, or a session of his own", async (name) => {
    const t = unique("t");
    const line = (id: string): object => ({
      ...{ kind: "session", client_id: id, expiry_seconds: 3600, next_packet_id: 2, owed: [], released: [], received: [] },
      subscriptions: [{ filter: `${t}/+`, options: 1 }],
      messages: [
        { packet_id: 1, sent: false, delivered_qos: 1, delivered_retain: false, topic: `${t}/a`, payload: "eA==", qos: 1, retain: false },
      ],
    });
    for (let n = 0; n < 10; n += 1) {
      const id = `${t}-${n}`;
      const socket = await MqttTestClient.open(urlOf(brokers[name], t), { clientId: id });
      const [report, connack] = await Promise.all([
        api(brokers[name].url, "POST", `/portable/sessions?namespace=${t}`, JSON.stringify(line(id))),
        socket.connect(KEPT),
      ]);
      const taken = (report.body as { taken: number }).taken === 1;
      expect([report.status, connack.reasonCode, connack.sessionPresent]).toEqual([200, 0, taken]);
      if (taken) expect(await socket.texts(1)).toEqual(["x"]);
      else await socket.silence();
      await socket.disconnect();
    }
  });

  it("publishes a will whose time is over, and gives what a subscription was owed", async () => {
    const t = unique("t");
    const { compact } = brokers;
    const watcher = await client(urlOf(compact, t));
    await watcher.subscribe(`${t}/will`, { qos: 1 });
    await watcher.publish(`${t}/r`, "retained", { qos: 1, retain: true });
    const line = {
      ...{ kind: "session", client_id: `${t}-device`, expiry_seconds: 3600, next_packet_id: 1, released: [], received: [], messages: [] },
      ...{ subscriptions: [{ filter: `${t}/r`, options: 1 }], owed: [`${t}/r`] },
      will: { due_at: "2026-01-01T00:00:00.000Z", topic: `${t}/will`, payload: "Z29uZQ==", qos: 1, retain: false },
    };
    expect(await done(compact.url, "POST", `/portable/sessions?namespace=${t}`, JSON.stringify(line))).toMatchObject({ taken: 1 });
    expect(await watcher.texts(1)).toEqual(["gone"]);
    const device = await client(urlOf(compact, t), `${t}-device`, KEPT);
    expect(await device.texts(1)).toEqual(["retained"]);
    for (const each of [device, watcher]) await each.disconnect();
  });

  it("is given what is newer with --replace, but for clients that are connected", async () => {
    const t = unique("t");
    const [old, recent] = [urlOf(brokers.compact, t), urlOf(brokers.sharded, t)];
    for (const [url, text] of [
      [old, "old"],
      [recent, "new"],
    ] as const) {
      for (const name of ["away", "here"]) {
        const each = await client(url, `${t}-${name}`, { ...KEPT, will: { topic: `${t}/will`, properties: { willDelayInterval: 3600 } } });
        await each.subscribe(`${t}/${text}/${name}`, { qos: 1 });
        await each.close();
      }
      const publisher = await client(url);
      for (const name of ["away", "here"]) await publisher.publish(`${t}/${text}/${name}`, text, { qos: 1 });
      await publisher.publish(`${t}/retained`, text, { qos: 1, retain: true });
      await publisher.disconnect();
    }
    const { file } = await exported(brokers.sharded, t);
    const here = await client(old, `${t}-here`, KEPT);
    expect(await here.texts(1)).toEqual(["old"]);
    await here.subscribe(`${t}/will`, { qos: 1 });
    const { code, stdout, stderr } = await run("import", brokers.compact, t, file, "--json", "--replace");
    expect([code, stderr]).toEqual([1, `durable-mqtt: sessions, "${t}-here": its client is connected.\n`]);
    expect(JSON.parse(stdout)).toMatchObject({ retained: some(1), session: some(1, 0, 1) });
    const away = await client(old, `${t}-away`, KEPT);
    expect(await away.texts(1)).toEqual(["new"]);
    await here.publish(`${t}/old/away`, "it is subscribed to that no more", { qos: 1 });
    await here.publish(`${t}/new/away`, "it is to this", { qos: 1 });
    expect(await away.texts(1)).toEqual(["it is to this"]);
    await away.subscribe(`${t}/retained`, { qos: 1 });
    expect(await away.texts(1)).toEqual(["new"]);
    // No will of what was replaced.
    await here.silence();
    for (const each of [here, away]) await each.disconnect();
  });

  it("has more than a page: many sessions, and one that is larger than a page", async () => {
    const t = unique("t");
    const source = urlOf(brokers.sharded, t);
    const large = await client(source, `${t}-large`, KEPT);
    await large.subscribe(`${t}/large`, { qos: 1 });
    await large.close();
    const publisher = await client(source);
    for (let n = 0; n < 6; n += 1) await publisher.publish(`${t}/large`, new Uint8Array(900_000).fill(n), { qos: 1 });
    for (let n = 0; n < 150; n += 1) {
      const each = await client(source, `${t}-${n}`, KEPT);
      await each.disconnect();
    }
    const { file, lines } = await exported(brokers.sharded, t);
    expect(new Set(lines.filter(({ kind }) => kind === "session").map(({ client_id }) => client_id)).size).toBe(151);
    expect((await imported(brokers.compact, t, file)).session).toEqual(some(151));
    const there = await MqttTestClient.open(urlOf(brokers.compact, t), { clientId: `${t}-large` });
    await there.connect(KEPT);
    expect((await there.messages(6)).map(({ payload }) => [payload.length, payload[0]])).toEqual(
      [0, 1, 2, 3, 4, 5].map((n) => [900_000, n]),
    );
    for (const each of [there, publisher]) await each.disconnect();
  });
});

describe("a broker that dies in the middle", () => {
  it("has each session once and whole when the same is brought again", async () => {
    const t = unique("t");
    const [data, env] = [newFolder(), { ADMIN_TOKEN, ALLOW_ANONYMOUS: "true" }];
    const ids = Array.from({ length: 64 }, (_, n) => `${t}-${n}`);
    const payload = "x".repeat(20_000);
    const lines = ids.map((id, n) =>
      JSON.stringify({
        ...{ kind: "session", client_id: id, expiry_seconds: 3600, next_packet_id: 4, owed: [], released: [], received: [] },
        subscriptions: [{ filter: `${t}/${n}`, options: 1 }],
        messages: [1, 2, 3].map((packet_id) => ({
          ...{ packet_id, sent: false, delivered_qos: 1, delivered_retain: false, topic: `${t}/${n}`, qos: 1, retain: false },
          payload: Buffer.from(`${packet_id}${payload}`).toString("base64"),
        })),
      }),
    );
    const file = join(folder, unique("killed"));
    const ends = { user: 0, ban: 0, retained: 0, session: lines.length };
    const all = [{ kind: "durable-mqtt export", version: 1 }, ...lines, { kind: "end", ...ends }];
    writeFileSync(file, all.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
    const begin = async (): Promise<{ broker: ReturnType<typeof start>; url: string }> => {
      const broker = start(["--port", "0", "--data", data], env);
      return { broker, url: (await broker.prints(/Console +(http:\S+)\//))[1]! };
    };

    let { broker, url } = await begin();
    const post = (from: number): Promise<unknown> => done(url, "POST", "/portable/sessions", lines.slice(from, from + 16).join("\n"));
    expect(await post(0)).toMatchObject({ taken: 16 });
    const second = post(16).catch((error: unknown) => error);
    const third = post(32).then(
      () => "answered",
      () => "lost",
    );
    await second;
    broker.process.kill("SIGKILL");
    await Promise.all([third, broker.exit]);

    ({ broker, url } = await begin());
    const { code, stdout } = await callCommand(["import", file, "--url", url, "--json"], { ADMIN_TOKEN });
    const { session } = JSON.parse(stdout) as { session: { taken: number; there: number } };
    expect([code, session.taken + session.there, session.there >= 32]).toEqual([0, 64, true]);
    for (const id of ids) {
      const socket = await MqttTestClient.open(`${url.replace("http", "ws")}/mqtt`, { clientId: id });
      expect((await socket.connect(KEPT)).sessionPresent).toBe(true);
      expect((await socket.texts(3)).map((text) => [text[0], text.length])).toEqual(["1", "2", "3"].map((first) => [first, 20_001]));
      await socket.silence();
      await socket.disconnect();
    }
  });
});

describe("a file", () => {
  const header = { kind: "durable-mqtt export", version: 1 };
  const end = { kind: "end", user: 0, ban: 0, retained: 0, session: 0 };
  const retained = { kind: "retained", topic: "a", payload: "eA==", qos: 0 };
  const write = (...lines: readonly unknown[]): string => {
    const file = join(folder, unique("file"));
    writeFileSync(file, lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
    return file;
  };

  it("is for its user alone, appears as a whole, and has no half of one beside it", async () => {
    const t = unique("t");
    const { file } = await exported(brokers.compact, t);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).filter((name) => /\.\d+$/.test(name))).toEqual([]);
    const { code, stderr } = await run("export", brokers.compact, t, "/nowhere/file");
    expect([code, stderr]).toEqual([1, "durable-mqtt: /nowhere/file can't be written (ENOENT).\n"]);
    expect(existsSync("/nowhere")).toBe(false);
  });

  it("has pages that are bounded where every client has an object, by what messages have beside their payloads as well", async () => {
    const t = unique("t");
    const url = urlOf(brokers.own, t);
    for (let n = 0; n < 5; n += 1) {
      const member = await client(url, `${t}-${n}`, KEPT);
      await member.subscribe(t, { qos: 1 });
      await member.disconnect();
    }
    const publisher = await client(url);
    const userProperties = Array.from({ length: 14 }, () => ["a", "x".repeat(60_000)] as const);
    await publisher.publish(t, "", { qos: 1, properties: { userProperties } });
    await publisher.disconnect();
    const pages: number[] = [];
    for (let cursor = ""; ; ) {
      const path = `/portable/sessions?namespace=${t}${cursor}`;
      const { data, meta } = (await done(brokers.own.url, "GET", path)) as { data: unknown[]; meta: { cursor?: string } };
      pages.push(data.length);
      if (meta.cursor === undefined) break;
      cursor = `&cursor=${encodeURIComponent(meta.cursor)}`;
    }
    expect(pages.filter((count) => count > 0)).toEqual([3, 2]);
  });

  it.each([
    ["no export", [{ kind: "session" }, end], /is no export: expected a first line of the kind "durable-mqtt export"\.$/],
    ["another version", [{ ...header, version: 2 }, end], /is an export of version 2; this command reads 1\.$/],
    ["cut off", [header, retained], /is not whole: expected a last line that says how much there is\.$/],
    ["cut in a line", [header, '{"kind": "retai'], /line 2: expected a JSON object with a kind\.$/],
    ["with a line less", [header, { ...end, retained: 1 }], /is not whole: it has 0 retained messages, and says that there are 1\.$/],
    ["with something else", [header, { kind: "other" }, end], /line 2: expected user, ban, retained, session, not "other"\.$/],
    ["two in one", [header, end, retained, end], /line 3: expected nothing behind the end\.$/],
  ])("that is %s brings nothing", async (_what, lines, sentence) => {
    const t = unique("t");
    const { code, stderr } = await run("import", brokers.compact, t, write(...lines));
    expect([code, stderr.trimEnd()]).toEqual([1, expect.stringMatching(sentence)]);
    expect((await exported(brokers.compact, t)).lines).toHaveLength(2);
  });

  it("whose lines a broker does not take says which, and goes no further", async () => {
    const t = unique("t");
    const file = write(header, retained, { ...retained, topic: "a/#" }, { ...end, retained: 2 });
    const { code, stderr } = await run("import", brokers.compact, t, file);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/wildcards[^\n]*\n.*It ended at lines 2 to 3; the same command again goes on from there\.\n$/),
    ]);
  });

  const session = { kind: "session", client_id: "c", expiry_seconds: 1, next_packet_id: 1, subscriptions: [], messages: [] };
  const message = { packet_id: 1, delivered_qos: 1, topic: "a", payload: "", qos: 1, retain: false };
  it.each([
    [{ ...session, client_id: "" }, "client_id must have 1 to 256 bytes."],
    [{ ...session, client_id: "a\0" }, "client_id must have 1 to 256 bytes."],
    [{ ...session, expiry_seconds: 0 }, "[0].expiry_seconds must be a whole number from 1 to 4294967295."],
    [{ ...session, subscriptions: [{ filter: "a/#/b", options: 0 }] }, /^A subscription: /],
    [{ ...session, subscriptions: [{ filter: "a", options: 3 }] }, "options must be those of SUBSCRIBE."],
    [{ ...session, messages: [message, message] }, "A Packet Identifier is in use twice."],
    [{ ...session, messages: [message], released: [1] }, "A Packet Identifier is in use twice."],
    [{ ...session, messages: [{ ...message, payload: "?" }] }, "[0].messages[0].payload must be Base64."],
    [{ ...session, messages: [{ ...message, topic: "a/+" }] }, /^A message: .*wildcards/],
    [{ ...session, messages: [{ ...message, delivered_qos: 0 }] }, "[0].messages[0].delivered_qos must be 1 or 2."],
    [{ ...session, will: { topic: "a", payload: "", qos: 0, retain: false } }, "[0].will.due_at is missing."],
    [{ ...session, rights: "nonsense" }, "rights must be those of a login."],
    [{ ...session, will: { due_at: "never", topic: "", payload: "", qos: 0, retain: false } }, /^A message: /],
    [{ ...session, more: 1 }, /^\[0\] has an unknown field/],
  ])("a session that is none is refused in a sentence: %j", async (line, sentence) => {
    const { status, body } = await api(brokers.compact.url, "POST", "/portable/sessions", JSON.stringify(line));
    expect([status, body]).toEqual([
      400,
      { code: "BAD_REQUEST", message: typeof sentence === "string" ? sentence : expect.stringMatching(sentence) },
    ]);
  });

  it("needs the admin token", async () => {
    for (const path of ["/portable/sessions", "/portable/retained", "/portable/users"])
      expect((await api(brokers.compact.url, "GET", path, undefined, "another token of 16")).status).toBe(401);
  });
});
