/** The contract of the stores, on SQLite in a Durable Object; and what is true of SQLite only: tables, migrations, restarts. */

import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { ANSWER_TABLES } from "../../src/storage/answer-tables.ts";
import { DIRECTORY_TABLES } from "../../src/storage/directory-tables.ts";
import { MeteredSql } from "../../src/storage/metered-sql.ts";
import { appliedMigrations, fingerprint, migrate, type Role } from "../../src/storage/migrations.ts";
import { ROUTING_TABLES } from "../../src/storage/routing-tables.ts";
import { createRowMeter, type RowMeter } from "../../src/storage/row-meter.ts";
import { SAMPLE_TABLES } from "../../src/storage/sample-tables.ts";
import { SESSION_TABLES } from "../../src/storage/session-tables.ts";
import { SqliteAnswerStore } from "../../src/storage/sqlite-answer-store.ts";
import { SqliteDirectoryStore } from "../../src/storage/sqlite-directory-store.ts";
import { SqliteRoutingStore } from "../../src/storage/sqlite-routing-store.ts";
import { SqliteSampleStore } from "../../src/storage/sqlite-sample-store.ts";
import { SqliteSessionStore } from "../../src/storage/sqlite-session-store.ts";
import { Tables } from "../../src/storage/tables.ts";
import { BILL_MONTHS, RETAINED_INLINE_BYTES_MAX, SAMPLE_MINUTES } from "../../src/storage-limits.ts";
import { directoryStoreContract } from "../storage/directory-store-contract.ts";
import { routingStoreContract } from "../storage/routing-store-contract.ts";
import { sessionStoreContract } from "../storage/session-store-contract.ts";
import { bytes } from "../storage/support.ts";

/** Runs the body in a new object with an empty database. */
function withSql(body: (sql: SqlStorage, meter: RowMeter) => void): Promise<void> {
  return runInDurableObject(env.SESSIONS.getByName(`test/${crypto.randomUUID()}`), async (_object, state) => {
    await state.storage.deleteAll();
    body(state.storage.sql, createRowMeter());
  });
}

sessionStoreContract("SQLite", (body) => withSql((sql, meter) => body(() => new SqliteSessionStore(sql, meter), meter)));
directoryStoreContract("SQLite", (body) => withSql((sql, meter) => body(() => new SqliteDirectoryStore(sql, meter), meter)));
routingStoreContract("SQLite", (body) => withSql((sql, meter) => body(() => new SqliteRoutingStore(sql, meter), meter)));

const tableNames = (sql: SqlStorage): string[] =>
  [...sql.exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'")]
    .map((row) => row.name)
    .sort();

describe("answers", () => {
  const row = { key: "k", digest: "d", outcome: "{}" };

  test("are found by their key while their period counts, counted, and deleted when it does not", () =>
    withSql((sql, meter) => {
      const store = new SqliteAnswerStore(sql, meter);
      expect([store.find("k", 1, 3), store.count(), store.deleteBefore(9)]).toEqual([undefined, 0, 0]);
      expect(tableNames(sql)).toEqual([]);
      store.put({ ...row, period: 1, outcome: "" });
      store.put({ ...row, period: 1 });
      store.put({ ...row, period: 2, key: "other" });
      expect([store.find("k", 1, 3), store.find("k", 2, 3), store.count()]).toEqual([{ ...row, period: 1 }, undefined, 2]);
      sql.exec("UPDATE answer SET outcome = '1' WHERE key = 'other'");
      expect(store.find("other", 1, 3)?.damaged).toBe(true);
      expect(store.deleteBefore(2)).toBe(1);
      store.delete({ period: 2, key: "other" });
      expect(store.count()).toBe(0);
    }));
});

describe("bills", () => {
  test("add up month by month, and are kept for a year and a month", () =>
    withSql((sql, meter) => {
      const store = new SqliteSampleStore(sql, meter);
      expect(store.months()).toEqual([]);
      store.bill(24_000, () => 1);
      store.bill(24_000, (field) => (field === "calls" ? 2 : 0));
      store.bill(24_001, () => 5);
      const [first, second] = store.months();
      expect(first).toEqual({
        ...{ month: 24_000, requests: 1, calls: 3, socketMessages: 1, alarms: 1, rowsRead: 1, rowsWritten: 1, awakeMs: 1 },
      });
      expect(second).toMatchObject({ month: 24_001, calls: 5 });
      for (let month = 24_002; month < 24_020; month += 1) store.bill(month, () => 1);
      expect(store.months().map(({ month }) => month)).toEqual(
        Array.from({ length: BILL_MONTHS }, (_, index) => 24_019 - BILL_MONTHS + 1 + index),
      );
      sql.exec("UPDATE bill SET calls = 9 WHERE month = 24019");
      expect(store.months().at(-1)!.month).toBe(24_018);
    }));
});

describe("samples", () => {
  const sample = { minute: 5000, received: 1, sent: 2, dropped: 3, connections: 4, sessions: 5, subscriptions: 6 };

  test("are a ring of a day's minutes, told with the last one before", () =>
    withSql((sql, meter) => {
      const store = new SqliteSampleStore(sql, meter);
      expect([store.find(5000), store.since(0)]).toEqual([undefined, []]);
      expect(tableNames(sql)).toEqual([]);
      const later = [5000, 5001, 5002].map((minute) => ({ ...sample, minute }));
      for (const each of later) store.put(each);
      expect([store.find(5001), store.find(5001 + SAMPLE_MINUTES)]).toEqual([later[1], undefined]);
      expect([store.since(5002), store.since(4000), store.since(6000)]).toEqual([later.slice(1), later, later.slice(2)]);
      store.put({ ...sample, minute: 5000 + SAMPLE_MINUTES });
      expect(store.since(0).map(({ minute }) => minute)).toEqual([5001, 5002, 5000 + SAMPLE_MINUTES]);
      sql.exec("UPDATE sample SET sent = 9 WHERE minute = 5001");
      expect(store.find(5001)).toBeUndefined();
      expect(meter.rowsWritten).toBe(3 * 2 + 1 + 4);
    }));
});

describe("large retained messages", () => {
  const LARGE = RETAINED_INLINE_BYTES_MAX + 1;
  const put = (store: SqliteRoutingStore, topic: string, size: number, expiresAt = 0): void =>
    store.putRetained({ topic, message: bytes(size), expiresAt });
  const number = (sql: SqlStorage, query: string): unknown => Object.values(sql.exec(query).one())[0];
  const bodies = (sql: SqlStorage): unknown => number(sql, "SELECT COUNT(*) FROM retained_body");

  test("lie beside their topics, which are compared without them, and go with them", () =>
    withSql((sql, meter) => {
      const store = new SqliteRoutingStore(sql, meter);
      for (const size of [10, LARGE - 1, LARGE, 500_000]) put(store, `t/${size}`, size);
      expect(number(sql, "SELECT MAX(LENGTH(message)) FROM retained")).toBe(LARGE - 1);
      expect(bodies(sql)).toBe(2);
      put(store, `t/${LARGE}`, 2 * LARGE);
      expect(bodies(sql)).toBe(2);
      put(store, "t/500000", 1);
      expect(bodies(sql)).toBe(1);
      put(store, "u", LARGE, 5);
      store.deleteExpiredRetained(5, 10);
      expect(bodies(sql)).toBe(1);
      store.deleteRetained(`t/${LARGE}`);
      expect(bodies(sql)).toBe(0);
      expect(store.retained("t/500000")).toEqual({ topic: "t/500000", message: bytes(1), expiresAt: 0 });
    }));

  test("whose bytes have changed or are gone say so", () =>
    withSql((sql, meter) => {
      const store = new SqliteRoutingStore(sql, meter);
      put(store, "a", LARGE);
      put(store, "b", LARGE);
      sql.exec("UPDATE retained_body SET message = zeroblob(10) WHERE number = 1");
      expect([store.retained("a")?.damaged, store.retained("b")?.damaged]).toEqual([true, undefined]);
      sql.exec("DELETE FROM retained_body WHERE number = 2");
      expect(store.retained("b")?.damaged).toBe(true);
      put(store, "b", LARGE);
      expect(store.retained("b")).toEqual({ topic: "b", message: bytes(LARGE), expiresAt: 0 });
    }));

  test("of before there were such rows are read where they are, and get one with the next", () =>
    withSql((sql, meter) => {
      const former = { ...ROUTING_TABLES, migrations: ROUTING_TABLES.migrations.slice(0, 4) };
      migrate(new MeteredSql(sql, meter), former);
      sql.exec(
        "INSERT INTO retained (topic, message, expires_at, owner) VALUES ('a', ?, 0, 0), ('b', ?, 0, 0)",
        bytes(LARGE),
        bytes(LARGE),
      );
      const store = new SqliteRoutingStore(sql, meter);
      expect(store.retained("a")).toEqual({ topic: "a", message: bytes(LARGE), expiresAt: 0 });
      expect([store.kept("a"), store.holding()]).toEqual([
        { owner: 0, bytes: LARGE },
        { count: 2, bytes: 2 * LARGE },
      ]);
      put(store, "a", LARGE + 1);
      expect(store.deleteRetained("b")).toBe(true);
      expect([bodies(sql), store.holding()]).toEqual([1, { count: 1, bytes: LARGE + 1 }]);
      expect(store.retained("a")?.message).toEqual(bytes(LARGE + 1));
    }));
});

describe("tables", () => {
  const session = { number: 1, clientId: "a", state: bytes(3) };
  const route = { filter: "a", sessionObject: "s", qos: 1, version: 1, members: 3, online: 2 } as const;

  test("an object that stores nothing has no tables and pays no row", () =>
    withSql((sql, meter) => {
      const sessions = new SqliteSessionStore(sql, meter);
      const routing = new SqliteRoutingStore(sql, meter);
      sessions.sessions();
      sessions.deleteSession(1);
      routing.holding().count;
      routing.deleteRetained("a");
      expect(meter).toEqual({ rowsRead: 0, rowsWritten: 0 });
      expect(tableNames(sql)).toEqual([]);
    }));

  test("the first row makes the tables, for two rows each, one for each column that came later and one for the record", () =>
    withSql((sql, meter) => {
      new SqliteSessionStore(sql, meter).putSession(session);
      expect(tableNames(sql)).toEqual(["alias", "exchange", "log", "migration", "owed", "session", "subscription", "will_message"]);
      expect(meter.rowsWritten).toBe(2 * 10 + 6 + 1 + 1);
    }));

  test("further rows do not look for the tables again", () =>
    withSql((sql, meter) => {
      const store = new SqliteSessionStore(sql, meter);
      store.putSession(session);
      const before = { ...meter };
      for (let number = 1; number <= 10; number++) store.putChunk({ number, heads: bytes(1), records: bytes(1) });
      expect(meter.rowsRead - before.rowsRead).toBeLessThanOrEqual(10);
      expect(meter.rowsWritten - before.rowsWritten).toBe(10);
    }));

  test("where SQLite compares keys by reading rows to the end, only small blobs lie beside them", () =>
    withSql((sql, meter) => {
      new SqliteSessionStore(sql, meter).putSession(session);
      new SqliteRoutingStore(sql, meter).putRoute(route);
      const made = sql
        .exec<{ name: string; sql: string }>("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name")
        .toArray();
      const keyed = made.filter((table) => /WITHOUT ROWID$/.test(table.sql) && / BLOB\b/.test(table.sql));
      // A page of exchanges has 256 at most, and what is large of a retained message lies elsewhere.
      expect(keyed.map(({ name }) => name)).toEqual(["exchange", "retained"]);
    }));

  test("both roles live in one database, whichever begins", () =>
    withSql((sql, meter) => {
      const sessions = new SqliteSessionStore(sql, meter);
      const routing = new SqliteRoutingStore(sql, meter);
      routing.putRoute(route);
      expect(meter.rowsWritten).toBe(2 * 5 + 5 + 1 + 1);
      sessions.putSession(session);
      expect(meter.rowsWritten).toBe(2 * 14 + 11 + 2 + 2);
      expect(new SqliteSessionStore(sql, meter).sessions()).toEqual([session]);
      expect(new SqliteRoutingStore(sql, meter).routes()).toEqual([route]);
    }));

  test("a warm start reads the record and writes nothing", () =>
    withSql((sql) => {
      new SqliteSessionStore(sql, createRowMeter()).putSession(session);
      new SqliteRoutingStore(sql, createRowMeter()).putRoute(route);
      const meter = createRowMeter();
      new SqliteSessionStore(sql, meter);
      new SqliteRoutingStore(sql, meter);
      expect(meter).toEqual({ rowsRead: 2, rowsWritten: 0 });
    }));

  test("rows outlive the object's memory", async () => {
    const stub = env.SESSIONS.getByName(`test/${crypto.randomUUID()}`);
    await runInDurableObject(stub, (_object, state) => {
      new SqliteSessionStore(state.storage.sql, createRowMeter()).putChunk({ number: 1, heads: bytes(2), records: bytes(5) });
    });
    await evictDurableObject(stub);
    await runInDurableObject(stub, (_object, state) => {
      const store = new SqliteSessionStore(state.storage.sql, createRowMeter());
      expect([store.chunkHeads(0, 9), store.chunk(1)?.records]).toEqual([[{ number: 1, heads: bytes(2) }], bytes(5)]);
    });
  });

  test("counts retained messages with one look at the rows, and no more", () =>
    withSql((sql, meter) => {
      const store = new SqliteRoutingStore(sql, meter);
      for (let index = 0; index < 50; index++) store.putRetained({ topic: `t${index}`, message: bytes(1), expiresAt: 0 });
      const reopened = new SqliteRoutingStore(sql, meter);
      const before = meter.rowsRead;
      expect(reopened.holding().count).toBe(50);
      const counted = meter.rowsRead;
      expect(counted - before).toBe(50);
      expect(reopened.holding().count).toBe(50);
      expect(meter.rowsRead).toBe(counted);
    }));
});

describe("migrations", () => {
  const first = { name: "first", statements: ["CREATE TABLE a (x INTEGER PRIMARY KEY)"] };
  const second = { name: "second", statements: ["CREATE TABLE b (y INTEGER PRIMARY KEY)", "INSERT INTO a VALUES (1)"] };
  const role = (...migrations: Role["migrations"]): Role => ({ name: "test", migrations });

  test("what is appended is applied once, in order", () =>
    withSql((sql, meter) => {
      const metered = new MeteredSql(sql, meter);
      migrate(metered, role(first));
      expect(tableNames(sql)).toEqual(["a", "migration"]);
      migrate(metered, role(first, second));
      expect(tableNames(sql)).toEqual(["a", "b", "migration"]);
      expect(appliedMigrations(metered, role(first, second))).toBe(2);
      const before = meter.rowsWritten;
      migrate(metered, role(first, second));
      expect(meter.rowsWritten).toBe(before);
    }));

  test("an edited, exchanged or renamed migration is refused, and nothing is touched", () =>
    withSql((sql, meter) => {
      const metered = new MeteredSql(sql, meter);
      migrate(metered, role(first));
      const before = meter.rowsWritten;
      const edited = { name: "first", statements: ["CREATE TABLE a (x INTEGER PRIMARY KEY, y TEXT)"] };
      expect(() => migrate(metered, role(edited, second))).toThrow(
        /^Migration 1 of the role test was applied as first:[0-9a-f]{8}, but the code has first:[0-9a-f]{8}: migrations may be appended, never edited\.$/,
      );
      expect(() => migrate(metered, role(second, first))).toThrow(/but the code has second:/);
      expect(() => migrate(metered, role({ ...first, name: "renamed" }))).toThrow(/but the code has renamed:/);
      expect(meter.rowsWritten).toBe(before);
      expect(tableNames(sql)).toEqual(["a", "migration"]);
    }));

  test("a database of newer code is refused", () =>
    withSql((sql, meter) => {
      const metered = new MeteredSql(sql, meter);
      migrate(metered, role(first, second));
      expect(() => migrate(metered, role(first))).toThrow(/has had 2 migrations of the role test, this code knows 1/);
    }));

  test("white space of a statement is no edit", () => {
    const spaced = { name: "first", statements: ["  CREATE TABLE a\n    (x INTEGER PRIMARY KEY) "] };
    expect(fingerprint(spaced)).toBe(fingerprint(first));
  });

  test("tables that are there get what was appended when they are opened; tables that are not wait for the first row", () =>
    withSql((sql, meter) => {
      new Tables(sql, meter, role(first, second));
      expect(tableNames(sql)).toEqual([]);
      new Tables(sql, meter, role(first)).put("INSERT INTO a VALUES (7)");
      const upgraded = new Tables(sql, meter, role(first, second));
      expect(tableNames(sql)).toEqual(["a", "b", "migration"]);
      expect(upgraded.select("SELECT x FROM a ORDER BY x")).toEqual([{ x: 1 }, { x: 7 }]);
    }));

  test("the platform refuses PRAGMA user_version, which is why the record is a table", () =>
    withSql((sql) => {
      expect(() => sql.exec("PRAGMA user_version")).toThrow(/not authorized/);
    }));

  test("a message log of before there were heads is moved, with its checksums", () =>
    withSql((sql, meter) => {
      const before = { ...SESSION_TABLES, migrations: SESSION_TABLES.migrations.slice(0, 4) };
      migrate(new MeteredSql(sql, meter), before);
      for (const number of [2, 7]) {
        sql.exec("INSERT INTO chunk (number, records, checksum) VALUES (?, ?, ?)", number, bytes(9), number === 2 ? null : 1);
      }
      const store = new SqliteSessionStore(sql, meter);
      expect(tableNames(sql)).not.toContain("chunk");
      expect(store.chunkHeads(0, 9)).toEqual([2, 7].map((number) => ({ number, heads: Uint8Array.of(0) })));
      expect(store.chunk(2)).toEqual({ number: 2, records: bytes(9) });
      expect(store.chunk(7)).toEqual({ number: 7, records: bytes(9), damaged: true });
    }));

  test("wills of before they had numbers are moved, with their checksums, and replaced and deleted by their clients", () =>
    withSql((sql, meter) => {
      const before = { ...SESSION_TABLES, migrations: SESSION_TABLES.migrations.slice(0, 5) };
      migrate(new MeteredSql(sql, meter), before);
      for (const [index, clientId] of ["b", "a", "c"].entries())
        sql.exec("INSERT INTO will (client_id, will, checksum) VALUES (?, ?, ?)", clientId, bytes(index), clientId === "c" ? 1 : null);
      const open = (): SqliteSessionStore => new SqliteSessionStore(sql, meter);
      expect(open().wills()).toMatchObject([{ clientId: "a", will: bytes(1) }, { clientId: "b" }, { clientId: "c", damaged: true }]);
      expect(tableNames(sql)).not.toContain("will");
      open().putWill({ clientId: "b", will: bytes(9) });
      open().deleteWill("a");
      expect(open().wills()).toEqual([
        { clientId: "b", will: bytes(9) },
        { clientId: "c", will: bytes(2), damaged: true },
      ]);
    }));

  test("users and bans whose bytes have changed say so", () =>
    withSql((sql, meter) => {
      const store = new SqliteDirectoryStore(sql, meter);
      const user = { user: "a", password: "p", rights: "{}", credential: 1, createdAt: 2, changedAt: 3 };
      const ban = { kind: "clientid", who: "c", by: "b", reason: "r", at: 1, until: 2 } as const;
      const damage = { password: "'q'", rights: "'{ }'", credential: "9", created_at: "9", changed_at: "9" };
      for (const [column, value] of Object.entries(damage)) {
        store.putUser(user);
        sql.exec(`UPDATE user SET ${column} = ${value}`);
        expect(store.user("a"), column).toMatchObject({ damaged: true });
      }
      for (const column of ["who", "by", "reason", "at", "until"]) {
        store.putBan(ban);
        sql.exec(`UPDATE ban SET ${column} = 7`);
        expect(store.bans(), column).toMatchObject([{ damaged: true }]);
        sql.exec("DELETE FROM ban");
      }
    }));

  test("the history that databases out there have had is what the code has", () => {
    // A failure here means that a migration was edited after it was released: append a new one instead.
    expect(SESSION_TABLES.migrations.map(fingerprint)).toEqual([
      "tables:04655e21",
      "pieces:b0022792",
      "checksums:017d6143",
      "owed:2d6c6315",
      "heads:641c16a5",
      "wills:1c806f0d",
    ]);
    expect(DIRECTORY_TABLES.migrations.map(fingerprint)).toEqual(["tables:84dcba91"]);
    expect(ANSWER_TABLES.migrations.map(fingerprint)).toEqual(["tables:0677cedb"]);
    expect(SAMPLE_TABLES.migrations.map(fingerprint)).toEqual(["tables:af21f0c9", "bills:a934d7af"]);
    expect(ROUTING_TABLES.migrations.map(fingerprint)).toEqual([
      "tables:d94ab5a9",
      "lineage:e82d495b",
      "checksums:9f0c7d53",
      "owners:c0054590",
      "bodies:86a40c8d",
    ]);
  });
});
