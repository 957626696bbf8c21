/** Rows whose bytes have changed on the disk: each says so, whatever has changed, and what it held is given to nobody. */

import { describe, expect, test } from "vitest";
import type { RoutingStore } from "../../src/routing/ports.ts";
import type { SessionStore } from "../../src/session/ports.ts";
import { createRowMeter } from "../../src/storage/row-meter.ts";
import { SqliteRows } from "../simulation/rows.ts";
import { World } from "../support/core-harness.ts";
import { bytes } from "./support.ts";

interface Table {
  /** Columns beside the checksum. */
  readonly columns: readonly string[];
  put(rows: { sessions: SessionStore; routing: RoutingStore }): void;
  read(rows: { sessions: SessionStore; routing: RoutingStore }): readonly { readonly damaged?: true }[];
}

const BLOB = bytes(45);

const TABLES: Readonly<Record<string, Table>> = {
  session: {
    columns: ["number", "client_id", "state"],
    put: ({ sessions }) => sessions.putSession({ number: 1_800_000_000_000_001, clientId: "käpt", state: BLOB }),
    read: ({ sessions }) => sessions.sessions(),
  },
  subscription: {
    columns: ["session_number", "filter", "options", "identifier"],
    put: ({ sessions }) => sessions.putSubscription({ sessionNumber: 3, filter: "a/+", options: 1, subscriptionIdentifier: 7 }),
    read: ({ sessions }) => sessions.subscriptions(),
  },
  will_message: {
    columns: ["client_id", "will"],
    put: ({ sessions }) => sessions.putWill({ clientId: "c", will: BLOB }),
    read: ({ sessions }) => sessions.wills(),
  },
  log: {
    columns: ["number", "heads", "records"],
    put: ({ sessions }) => sessions.putChunk({ number: 4, heads: BLOB, records: BLOB }),
    read: ({ sessions }) => sessions.chunkHeads(0, 1).map((heads) => ({ ...heads, ...sessions.chunk(heads.number)! })),
  },
  exchange: {
    columns: ["session_number", "page", "exchanges"],
    put: ({ sessions }) => sessions.putExchanges({ sessionNumber: 3, page: 2, exchanges: BLOB }),
    read: ({ sessions }) => sessions.exchanges(),
  },
  owed: {
    columns: ["session_number", "id", "filter", "place", "from_topic"],
    put: ({ sessions }) => sessions.putOwed({ sessionNumber: 3, id: 7, filter: "a/+", place: "3/4", from: "a/b" }),
    read: ({ sessions }) => sessions.owed(),
  },
  alias: {
    columns: ["connection_number", "alias", "topic"],
    put: ({ sessions }) => sessions.putAlias({ connectionNumber: 3, alias: 2, topic: "a/b" }),
    read: ({ sessions }) => sessions.aliases(),
  },
  route: {
    columns: ["filter", "session_object", "qos", "version", "members", "online"],
    put: ({ routing }) => routing.putRoute({ filter: "a/+", sessionObject: "s", qos: 1, version: 9, members: 2, online: 1 }),
    read: ({ routing }) => routing.routes(),
  },
  retained: {
    columns: ["message", "expires_at"],
    put: ({ routing }) => routing.putRetained({ topic: "t", message: BLOB, expiresAt: 5 }),
    read: ({ routing }) => [routing.retained("t")!],
  },
};

/** SQL that gives a value which differs in one place. */
function other(column: string, at: number): string {
  return `CASE typeof(${column})
    WHEN 'integer' THEN ${column} + (1 << ${at % 20})
    WHEN 'text' THEN ${column} || 'x'
    ELSE CAST(substr(${column}, 1, ${at}) || CAST(char((unicode(substr(hex(substr(${column}, ${at + 1}, 1)), 2, 1)) % 7) + 65) AS BLOB) || substr(${column}, ${at + 2}) AS BLOB) END`;
}

describe.each(Object.entries(TABLES))("a row of `%s`", (table, { columns, put, read }) => {
  const stored = (): SqliteRows => {
    const rows = new SqliteRows(createRowMeter());
    put(rows);
    return rows;
  };

  test("as it was written says nothing, nor does one of before there were checksums", () => {
    const rows = stored();
    expect(read(rows)).toHaveLength(1);
    expect(read(rows)[0]).not.toHaveProperty("damaged");
    rows.database.exec(`UPDATE ${table} SET checksum = NULL`);
    rows.reopen();
    expect(read(rows)[0]).not.toHaveProperty("damaged");
  });

  test.each(columns)("says when `%s` has changed", (column) => {
    for (const at of [0, 1, 7, 43, 44]) {
      const rows = stored();
      rows.database.exec(`UPDATE ${table} SET ${column} = ${other(column, at)}`);
      expect(read(rows)[0], `at ${at}`).toMatchObject({ damaged: true });
    }
  });

  test("that is written again is as it was written", () => {
    const rows = stored();
    rows.database.exec(`UPDATE ${table} SET checksum = 1`);
    expect(read(rows)[0]).toMatchObject({ damaged: true });
    put(rows);
    expect(read(rows)[0]).not.toHaveProperty("damaged");
  });
});

test("what damaged rows held is skipped, each with a line, and given to nobody", () => {
  const world = new World();
  const [node] = world.sessions;
  const kept = { clean: false, properties: { sessionExpiryInterval: 3600 } };
  const client = world.connect("c", { ...kept, will: { topic: "w" } });
  client.subscribe("a", 1);
  world.connect("p").publish("a", "changed", { qos: 1, retain: true });
  const { store } = node!;
  for (const name of ["subscriptions", "wills"] as const) {
    const original = store[name].bind(store) as () => object[];
    Object.assign(store, { [name]: () => original().map((row) => ({ ...row, damaged: true })) });
  }
  const chunk = store.chunk.bind(store);
  Object.assign(store, { chunk: (number: number) => ({ ...chunk(number), damaged: true }) });
  node!.crash();
  expect(node!.problems.map((problem) => problem.replace(/\d+/g, "N"))).toEqual([
    'subscription of session N to "a": its bytes have changed since they were written',
    "message log, chunk N: its bytes have changed since they were written",
    'will of "c": its bytes have changed since they were written',
  ]);
  expect(world.connect("c", kept).texts()).toEqual([]);
});
