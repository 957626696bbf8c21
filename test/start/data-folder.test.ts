/** The data folder of `npm start`: whose it is, who may read it, and what is said of what is wrong in it. */

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { afterAll, describe, expect, it } from "vitest";
import { DataFolder } from "../../scripts/local/data-folder.ts";
import { isLong } from "../support/long.ts";
import { connectMqtt, newFolder, nextMessage, running, start } from "./command.ts";

/** Starts a broker, keeps a retained message and ends the broker. @returns the database of its object */
async function filled(
  data: string,
  { end = "SIGTERM" as NodeJS.Signals, args = [] as readonly string[], payload = "kept" } = {},
): Promise<string> {
  const broker = await running(["--data", data, ...args]);
  const client = await connectMqtt(broker.ws, { clientId: "keeper", clean: false, protocolVersion: 4 });
  await client.subscribeAsync("a", { qos: 1 });
  await client.publishAsync("state", payload, { qos: 1, retain: true });
  await client.publishAsync("big", "x".repeat(100_000), { qos: 1, retain: true });
  if (end === "SIGKILL") await recorded(data, client);
  broker.process.kill(end);
  await broker.exit;
  return databaseOf(data);
}

const templates = new Map<NodeJS.Signals, Promise<string>>();
const home = mkdtempSync(join(tmpdir(), "durable-mqtt-filled-"));
afterAll(() => rmSync(home, { recursive: true }));

/** @returns a folder to be copied, whose broker ended so */
function filledOnce(end: NodeJS.Signals): Promise<string> {
  const data = join(home, end);
  const template = templates.get(end) ?? filled(data, { end }).then(() => data);
  templates.set(end, template);
  return template;
}

/**
 * Waits until the broker has put on record what is there now: then what is gone is noticed after a crash too. It writes down what it saw
 * a while before, and only when that has changed: a second time, it saw it after the first.
 */
async function recorded(data: string, client: MqttClient): Promise<void> {
  const since = Date.now();
  const times = new Set<number>();
  while (times.size < 2) {
    await client.publishAsync("changes", String(Date.now()), { qos: 1, retain: true });
    const { mtimeMs } = statSync(join(data, "broker.sqlite"));
    if (mtimeMs >= since) times.add(mtimeMs);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function databaseOf(data: string): string {
  const home = join(data, "objects", "durable-mqtt-SessionObject");
  return join(home, readdirSync(home).find((name) => /^[0-9a-f]{64}\.sqlite$/.test(name))!);
}

async function retainedState(ws: string): Promise<string> {
  const client = await connectMqtt(ws);
  const message = nextMessage(client);
  await client.subscribeAsync("state", { qos: 1 });
  return (await message).payload;
}

describe("damage", () => {
  const kinds: [string, NodeJS.Signals, RegExp, (file: string) => void][] = [
    ["a zeroed header", "SIGTERM", /is no SQLite database any more/, (file) => overwrite(file, 0, Buffer.alloc(100))],
    ["garbage", "SIGTERM", /is no SQLite database any more/, (file) => overwrite(file, 0, Buffer.alloc(statSync(file).size, "garbage!"))],
    ["half a file", "SIGTERM", /is cut off: it has \d+ of \d+ bytes/, (file) => truncateSync(file, statSync(file).size / 2)],
    ["an emptied file", "SIGTERM", /is cut off: it has 0 of \d+ bytes/, (file) => truncateSync(file, 0)],
    ["garbage in its middle", "SIGTERM", /is damaged \(SQLite: /, (file) => overwrite(file, 4096, Buffer.alloc(8 * 4096, "garbage!"))],
    ["a deleted database", "SIGTERM", /is gone/, (file) => rmSync(file)],
    ["a deleted database after a crash", "SIGKILL", /is gone/, (file) => rmSync(file)],
    ["a deleted log", "SIGKILL", /has lost its log/, (file) => rmSync(`${file}-wal`)],
    [
      "half a log",
      "SIGKILL",
      /has a log \(-wal\) that is cut off/,
      (file) => truncateSync(`${file}-wal`, statSync(`${file}-wal`).size / 2),
    ],
    [
      "a zeroed log header",
      "SIGKILL",
      /has a log \(-wal\) whose beginning is overwritten/,
      (file) => overwrite(`${file}-wal`, 0, Buffer.alloc(32)),
    ],
    [
      "garbage in a log",
      "SIGKILL",
      /has a log \(-wal\) with a damaged place/,
      (file) => overwrite(`${file}-wal`, 5000, Buffer.from("garbage!")),
    ],
  ];

  /** Of each way to end, and each file, at least one; the others in the long form. */
  const SHORT = ["a zeroed header", "half a log"];

  it.each(isLong ? kinds : kinds.filter(([kind]) => SHORT.includes(kind)))(
    "%s: the start says which object needs which file and ends; --accept-loss sets it aside",
    async (_kind, end, sentence, harm) => {
      const data = newFolder();
      cpSync(await filledOnce(end), data, { recursive: true, preserveTimestamps: true });
      const file = databaseOf(data);
      harm(file);
      const before = snapshot(data);

      const { code, stdout, stderr } = await start(["--port", "0", "--data", data]).exit;
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      const [first, ...rest] = stderr.trimEnd().split("\n");
      expect(first).toMatch(sentence);
      expect(first).toContain(file);
      expect(first).toMatch(/: the object default\/broker needs it\.$/);
      expect(rest).toEqual([expect.stringMatching(/start with --accept-loss/)]);
      expect(snapshot(data)).toEqual(before);

      const second = await running(["--data", data, "--accept-loss"]);
      const client = await connectMqtt(second.ws);
      await client.publishAsync("state", "new", { qos: 1, retain: true });
      expect(await retainedState(second.ws)).toBe("new");
      second.process.kill("SIGTERM");
      expect((await second.exit).stderr).toMatch(sentence);
    },
  );

  it("a broker killed at any moment leaves nothing that is taken for damage", async () => {
    const data = newFolder();
    await filled(data, { end: "SIGKILL" });
    const again = await running(["--data", data]);
    expect(await retainedState(again.ws)).toBe("kept");
  });

  it("a folder from before there were records is taken as it is", async () => {
    const data = newFolder();
    await filled(data);
    for (const name of readdirSync(data)) if (name !== "objects") rmSync(join(data, name));
    writeFileSync(join(data, "lock"), "1");
    const again = await running(["--data", data]);
    expect(await retainedState(again.ws)).toBe("kept");
  });

  it.each([
    ["the folder", (data: string) => rmSync(data, { recursive: true })],
    ["the folder, moved away,", (data: string) => renameSync(data, `${data}.moved`)],
    ["a database", (data: string) => rmSync(databaseOf(data))],
  ])("%s that disappears while the broker runs ends it with a sentence", async (_what, harm) => {
    const data = newFolder();
    const broker = await running(["--data", data]);
    const client = await connectMqtt(broker.ws);
    await recorded(data, client);
    harm(data);
    const { code, stderr } = await broker.exit;
    rmSync(`${data}.moved`, { recursive: true, force: true });
    expect(code).toBe(1);
    expect(stderr).toMatch(/(is gone|was deleted: the object default\/broker needs it)\. The broker has ended/);
  });
});

describe("the lock", () => {
  it("dies with its process, whatever process has its number now", async () => {
    const data = newFolder();
    await filled(data, { end: "SIGKILL" });
    // The number of a process that lives, as it happens in containers.
    writeFileSync(join(data, "broker.pid"), String(process.pid));
    writeFileSync(join(data, "lock"), String(process.pid));
    const again = await running(["--data", data]);
    expect(await retainedState(again.ws)).toBe("kept");
  });

  it("keeps a second broker out also when its files are deleted", async () => {
    const data = newFolder();
    await running(["--data", data]);
    for (const name of readdirSync(data)) if (name !== "objects") rmSync(join(data, name));
    const { code, stderr } = await start(["--port", "0", "--data", data]).exit;
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^durable-mqtt: The data folder .* is in use by another broker; stop it, or choose another folder with --data\.\n$/,
    );
  });
});

describe.skipIf(process.platform === "win32")("rights", () => {
  it("a new folder and all that is in it is its user's alone", async () => {
    const data = join(newFolder(), "data");
    await filled(data, { end: "SIGKILL" });
    expect(open(data)).toEqual([]);
  });

  it.runIf(isLong)("so is one that an earlier version made, but not what belongs to others in the same folder", async () => {
    const data = newFolder();
    await filled(data);
    for (const path of every(data)) chmodSync(path, statSync(path).isDirectory() ? 0o755 : 0o644);
    await filled(data);
    expect(open(data)).toEqual([]);

    const shared = newFolder();
    chmodSync(shared, 0o755);
    writeFileSync(join(shared, "notes"), "of somebody else", { mode: 0o644 });
    await filled(shared);
    expect(open(shared)).toEqual([shared, join(shared, "notes")]);
  });

  function every(folder: string): string[] {
    return [folder, ...readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name))];
  }

  /** What others have any right to. */
  function open(folder: string): string[] {
    return every(folder).filter((path) => (statSync(path).mode & 0o077) !== 0);
  }
});

describe("another topology on the same data", () => {
  it("is told at start, in the log and on /health, and not when there is nothing of it", async () => {
    const data = newFolder();
    await filled(data);
    const sharded = await running(["--data", data, "--topology", "sharded"]);
    const sentence = `${data} has 1 sessions and 2 retained messages of the compact topology, which this start, sharded, does not serve.`;
    await sharded.prints(new RegExp(sentence));
    expect(await (await fetch(`${sharded.http}/health`)).json()).toMatchObject({
      status: "ok",
      notes: [expect.stringContaining(sentence)],
    });
    sharded.process.kill("SIGTERM");
    expect((await sharded.exit).stderr).toContain(sentence);

    const compact = await running(["--data", data]);
    expect(await (await fetch(`${compact.http}/health`)).json()).toEqual({ status: "ok", topology: "compact", notes: [] });
  });
});

describe("a start that ended while it changed databases does not keep the next one from starting", () => {
  /** A data folder with databases of this name, each with many pages that nothing uses, and a log. */
  function folderWith(...names: readonly string[]): { readonly data: string; readonly home: string } {
    const data = newFolder();
    openFolder(data).close();
    const home = join(data, "objects", "durable-mqtt-SessionObject");
    mkdirSync(home, { recursive: true });
    for (const name of names) {
      const database = new DatabaseSync(join(home, `${name}.sqlite`));
      database.exec("CREATE TABLE t (value)");
      for (let row = 0; row < 40; row += 1) database.prepare("INSERT INTO t VALUES (?)").run(Buffer.alloc(100_000, "x"));
      database.close();
    }
    openFolder(data).close();
    for (const name of names) {
      const database = new DatabaseSync(join(home, `${name}.sqlite`));
      database.exec("DELETE FROM t WHERE rowid > 1; PRAGMA journal_mode = WAL; CREATE TABLE other (value)");
      if (name === names.at(-1)) users.push(database);
      else database.close();
    }
    return { data, home };
  }

  function openFolder(path: string, acceptLoss = false): DataFolder {
    return DataFolder.open({ path, acceptLoss, namespaces: ["default"], topicsWithObject: [], log: () => {} });
  }

  const users: DatabaseSync[] = [];

  it("between two of them", () => {
    const { data, home } = folderWith("a", "b");
    const bytes = statSync(join(home, "a.sqlite")).size;
    expect(() => openFolder(data)).toThrow("is in use by another broker");
    expect(statSync(join(home, "a.sqlite")).size).toBeLessThan(bytes / 10);
    users.pop()!.close();
    openFolder(data).close();
    // From then on its size counts again.
    truncateSync(join(home, "a.sqlite"), 4096);
    expect(() => openFolder(data)).toThrow("is cut off: it has 4096 of");
  });

  it("in the midst of one", () => {
    const { data, home } = folderWith("a");
    users.pop()!.close();
    const script = `
      import { DataFolder } from ${JSON.stringify(import.meta.resolve("../../scripts/local/data-folder.ts"))};
      import { DatabaseSync } from "node:sqlite";
      const exec = DatabaseSync.prototype.exec;
      DatabaseSync.prototype.exec = function (sql) {
        const result = exec.call(this, sql);
        if (sql === "VACUUM") {
          exec.call(this, "PRAGMA wal_checkpoint(TRUNCATE)");
          process.kill(process.pid, "SIGKILL");
        }
        return result;
      };
      DataFolder.open({ path: ${JSON.stringify(data)}, acceptLoss: false, namespaces: ["default"], topicsWithObject: [], log() {} });`;
    const bytes = statSync(join(home, "a.sqlite")).size;
    const { signal } = spawnSync(process.execPath, ["--input-type=module", "-e", script]);
    expect([signal, statSync(join(home, "a.sqlite")).size < bytes / 10]).toEqual(["SIGKILL", true]);
    openFolder(data).close();
  });

  it.runIf(isLong)("behind an accepted loss", () => {
    const { data, home } = folderWith("a", "b");
    truncateSync(join(home, "a.sqlite"), 4096);
    expect(() => openFolder(data, true)).toThrow("is in use by another broker");
    users.pop()!.close();
    openFolder(data).close();
    expect([existsSync(join(home, "a.sqlite")), existsSync(join(home, "b.sqlite"))]).toEqual([false, true]);
  });
});

describe("unused pages", () => {
  it.runIf(isLong)("of a drained queue are used again, and given back at the next start", { timeout: 60_000 }, async () => {
    const data = newFolder();
    const broker = await running(["--data", data]);
    const keeper = { clientId: "keeper", clean: false, protocolVersion: 4 } as const;
    const sleeper = await connectMqtt(broker.ws, keeper);
    await sleeper.subscribeAsync("queue", { qos: 1 });
    await sleeper.endAsync();
    const publisher = await connectMqtt(broker.ws);
    const bytes = 600 * 16_000;
    for (let round = 0; round < 3; round += 1) {
      for (let part = 0; part < 6; part += 1)
        await Promise.all(Array.from({ length: 100 }, () => publisher.publishAsync("queue", "x".repeat(16_000), { qos: 1 })));
      await drain(broker.ws, keeper, 600);
      // In the first round a part of the pages may still be in the write-ahead log, so the file's size then is no measure of the later ones.
      expect(statSync(databaseOf(data)).size / bytes).toBeLessThan(1.1);
    }
    broker.process.kill("SIGTERM");
    await broker.exit;
    expect(statSync(databaseOf(data)).size).toBeGreaterThan(8_000_000);

    const again = await running(["--data", data]);
    await connectMqtt(again.ws, keeper);
    expect(statSync(databaseOf(data)).size).toBeLessThan(100_000);
  });
});

/** Takes what waits for a session. */
async function drain(url: string, options: IClientOptions, messages: number): Promise<void> {
  const client = mqtt.connect(url, { reconnectPeriod: 0, ...options });
  let got = 0;
  await new Promise<void>((resolve) => client.on("message", () => ++got === messages && resolve()));
  // What came before its acknowledgement has been handled, and is in rows.
  await client.publishAsync("drained", "", { qos: 1 });
  await client.endAsync();
}

function overwrite(file: string, at: number, bytes: Buffer): void {
  const content = readFileSync(file);
  bytes.copy(content, at);
  writeFileSync(file, content);
}

/** What is below `objects`, each file that is not empty by its hash. */
function snapshot(data: string): Record<string, string> {
  const folder = join(data, "objects");
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => !name.endsWith("-shm"));
  const files = names.filter((name) => statSync(join(folder, name)).isFile() && statSync(join(folder, name)).size > 0);
  return Object.fromEntries(
    files.map((name) => [
      name,
      createHash("sha256")
        .update(readFileSync(join(folder, name)))
        .digest("hex"),
    ]),
  );
}
