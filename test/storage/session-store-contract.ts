/**
 * What every SessionStore does. Run on memory in Node and on SQLite in workerd: a behaviour that only one of them has is a bug of the
 * other, and a cost measured on memory is the cost on the platform.
 */

import { describe, expect, test } from "vitest";
import type { SessionStore } from "../../src/session/ports.ts";
import { ROW_BYTES_MAX } from "../../src/storage-limits.ts";
import { bytes, sameBytes, type WithStore } from "./support.ts";

export function sessionStoreContract(name: string, withStore: WithStore<SessionStore>): void {
  /** The rows written by an action on a store that has had its first row. */
  const cost = (store: SessionStore, meter: { rowsWritten: number }, action: () => void): number => {
    store.putChunk({ number: 999_999, heads: bytes(0), records: bytes(1) });
    const before = meter.rowsWritten;
    action();
    const written = meter.rowsWritten - before;
    store.deleteChunk(999_999);
    return written;
  };

  describe(`${name}: session store`, () => {
    test("is empty at first, and reading and deleting write nothing", () =>
      withStore((open, meter) => {
        const store = open();
        expect([store.sessions(), store.subscriptions(), store.wills(), store.chunkHeads(0, 9), store.chunk(1)]).toEqual([
          [],
          [],
          [],
          [],
          undefined,
        ]);
        store.deleteSession(1);
        store.deleteSubscription(1, "a");
        store.deleteWill("a");
        store.deleteChunk(1);
        store.deleteExchanges(1, 1);
        store.deleteAliases(1);
        store.deleteOwed(1, 1);
        expect([store.exchanges(), store.aliases(), store.owed()]).toEqual([[], [], []]);
        expect(meter.rowsWritten).toBe(0);
      }));

    test("keeps sessions, and a put of the same number replaces", () =>
      withStore((open) => {
        const store = open();
        store.putSession({ number: 2, clientId: "b", state: bytes(3, 1) });
        store.putSession({ number: 1, clientId: "a", state: bytes(0) });
        store.putSession({ number: 2, clientId: "b", state: bytes(4, 2) });
        expect(store.sessions()).toEqual([
          { number: 1, clientId: "a", state: bytes(0) },
          { number: 2, clientId: "b", state: bytes(4, 2) },
        ]);
      }));

    test("keeps subscriptions by session and filter, and deletes one", () =>
      withStore((open) => {
        const store = open();
        const row = { sessionNumber: 1, filter: "$share/g/a/+/#", options: 0x2e, subscriptionIdentifier: 268_435_455 };
        const other = { sessionNumber: 2, filter: "a", options: 0, subscriptionIdentifier: 0 };
        store.putSubscription({ ...row, options: 1 });
        store.putSubscription(row);
        store.putSubscription({ ...row, filter: "a" });
        store.putSubscription(other);
        store.deleteSubscription(1, "a");
        expect(store.subscriptions()).toEqual([row, other]);
      }));

    test("deletes a session with its subscriptions and leaves those of others", () =>
      withStore((open) => {
        const store = open();
        for (const number of [1, 11]) {
          store.putSession({ number, clientId: `c${number}`, state: bytes(1) });
          store.putSubscription({ sessionNumber: number, filter: "a", options: 1, subscriptionIdentifier: 0 });
          store.putSubscription({ sessionNumber: number, filter: "b", options: 1, subscriptionIdentifier: 0 });
        }
        store.deleteSession(1);
        expect(store.sessions().map((row) => row.number)).toEqual([11]);
        expect(store.subscriptions().map((row) => `${row.sessionNumber} ${row.filter}`)).toEqual(["11 a", "11 b"]);
      }));

    test("keeps exchanges by session and page, and they go with their session", () =>
      withStore((open) => {
        const store = open();
        for (const [sessionNumber, page] of [
          [2, 1],
          [1, 7],
          [1, 0],
        ] as const)
          store.putExchanges({ sessionNumber, page, exchanges: bytes(3, page) });
        store.putExchanges({ sessionNumber: 1, page: 7, exchanges: bytes(4) });
        expect(store.exchanges()).toEqual([
          { sessionNumber: 1, page: 0, exchanges: bytes(3) },
          { sessionNumber: 1, page: 7, exchanges: bytes(4) },
          { sessionNumber: 2, page: 1, exchanges: bytes(3, 1) },
        ]);
        store.deleteExchanges(1, 0);
        store.deleteExchanges(1, 1);
        store.deleteSession(2);
        expect(store.exchanges()).toEqual([{ sessionNumber: 1, page: 7, exchanges: bytes(4) }]);
      }));

    test("keeps what is owed by session and number, and it goes with its session", () =>
      withStore((open) => {
        const store = open();
        const row = { sessionNumber: 1, id: 2 ** 50, filter: "a/+/#", place: "3/4", from: "a/é/b" };
        store.putOwed({ ...row, from: "" });
        store.putOwed({ ...row, id: 3 });
        store.putOwed({ ...row, sessionNumber: 2 });
        store.putOwed({ ...row, id: 4 });
        store.putOwed(row);
        store.deleteOwed(1, 4);
        expect(store.owed()).toEqual([{ ...row, id: 3 }, row, { ...row, sessionNumber: 2 }]);
        store.deleteSession(1);
        expect(store.owed()).toEqual([{ ...row, sessionNumber: 2 }]);
      }));

    test("keeps aliases by connection, and deletes those of one", () =>
      withStore((open) => {
        const store = open();
        store.putAlias({ connectionNumber: 2, alias: 1, topic: "b" });
        store.putAlias({ connectionNumber: 1, alias: 65_535, topic: "t".repeat(65_535) });
        store.putAlias({ connectionNumber: 1, alias: 2, topic: "ä" });
        store.putAlias({ connectionNumber: 2, alias: 1, topic: "c" });
        expect(store.aliases().map(({ connectionNumber, alias, topic }) => [connectionNumber, alias, topic.length, topic[0]])).toEqual([
          [1, 2, 1, "ä"],
          [1, 65_535, 65_535, "t"],
          [2, 1, 1, "c"],
        ]);
        store.deleteAliases(1);
        expect(store.aliases()).toEqual([{ connectionNumber: 2, alias: 1, topic: "c" }]);
      }));

    test("keeps wills by client ID, exactly as it is written", () =>
      withStore((open) => {
        const store = open();
        for (const clientId of ["a", "A", "ä", "a\u0308", "\uFEFFa"]) store.putWill({ clientId, will: bytes(2, clientId.length) });
        store.putWill({ clientId: "a", will: bytes(5) });
        store.deleteWill("A");
        expect(store.wills()).toEqual([
          { clientId: "a", will: bytes(5) },
          { clientId: "ä", will: bytes(2, 1) },
          { clientId: "a\u0308", will: bytes(2, 2) },
          { clientId: "\uFEFFa", will: bytes(2, 2) },
        ]);
      }));

    test("returns chunks in the order of their numbers", () =>
      withStore((open) => {
        const store = open();
        const numbers = [10, 9, 2 ** 40, 1, 100];
        for (const number of numbers) store.putChunk({ number, heads: bytes(2, number % 250), records: bytes(3, number % 250) });
        store.deleteChunk(9);
        const heads = [1, 10, 100, 2 ** 40].map((number) => ({ number, heads: bytes(2, number % 250) }));
        expect(store.chunkHeads(0, 100)).toEqual(heads);
        expect(store.chunkHeads(0, 2)).toEqual(heads.slice(0, 2));
        expect(store.chunkHeads(10, 2)).toEqual(heads.slice(2));
        expect(store.chunkHeads(2 ** 40, 2)).toEqual([]);
        for (const { number } of heads) expect(store.chunk(number)).toEqual({ number, records: bytes(3, number % 250) });
        expect(store.chunk(9)).toBe(undefined);
      }));

    test("a put costs one row, new or replaced; a delete one for each row that existed", () =>
      withStore((open, meter) => {
        const store = open();
        const session = { number: 1, clientId: "a", state: bytes(100) };
        const subscription = { sessionNumber: 1, filter: "a", options: 1, subscriptionIdentifier: 0 };
        const costs = (action: () => void): number => cost(store, meter, action);
        expect(costs(() => store.putSession(session))).toBe(1);
        expect(costs(() => store.putSession({ ...session, state: bytes(20_000) }))).toBe(1);
        expect(costs(() => store.putSubscription(subscription))).toBe(1);
        expect(costs(() => store.putSubscription({ ...subscription, options: 2 }))).toBe(1);
        expect(costs(() => store.putSubscription({ ...subscription, filter: "b" }))).toBe(1);
        expect(costs(() => store.putSubscription({ ...subscription, filter: "c" }))).toBe(1);
        expect(costs(() => store.putWill({ clientId: "a", will: bytes(1) }))).toBe(1);
        expect(costs(() => store.putWill({ clientId: "a", will: bytes(2) }))).toBe(1);
        expect(costs(() => store.putChunk({ number: 1, heads: bytes(0), records: bytes(1) }))).toBe(1);
        expect(costs(() => store.putChunk({ number: 1, heads: bytes(0), records: bytes(16_384) }))).toBe(1);
        expect(costs(() => store.deleteSubscription(1, "c"))).toBe(1);
        expect(costs(() => store.deleteSubscription(1, "c"))).toBe(0);
        expect(costs(() => store.deleteSession(1))).toBe(3);
        expect(costs(() => store.deleteSession(1))).toBe(0);
        expect(costs(() => store.deleteWill("a"))).toBe(1);
        expect(costs(() => store.deleteWill("a"))).toBe(0);
        expect(costs(() => store.deleteChunk(1))).toBe(1);
        expect(costs(() => store.deleteChunk(1))).toBe(0);
      }));

    test("reading counts at least the rows it returns", () =>
      withStore((open, meter) => {
        const store = open();
        for (let number = 1; number <= 5; number++) store.putChunk({ number, heads: bytes(3), records: bytes(1) });
        const before = meter.rowsRead;
        store.chunkHeads(0, 5);
        expect(meter.rowsRead - before).toBeGreaterThanOrEqual(5);
        store.chunk(1);
        expect(meter.rowsRead - before).toBeGreaterThanOrEqual(6);
      }));

    test("takes blobs up to ROW_BYTES_MAX and gives them back unchanged; one byte more throws and writes nothing", () =>
      withStore((open, meter) => {
        const store = open();
        const largest = bytes(ROW_BYTES_MAX, 7);
        store.putSession({ number: 1, clientId: "a", state: largest });
        store.putWill({ clientId: "a", will: largest });
        store.putChunk({ number: 1, heads: bytes(0), records: largest });
        expect(sameBytes(store.sessions()[0].state, largest)).toBe(true);
        expect(sameBytes(store.wills()[0].will, largest)).toBe(true);
        expect(sameBytes(store.chunk(1)!.records, largest)).toBe(true);
        const before = meter.rowsWritten;
        const tooLarge = bytes(ROW_BYTES_MAX + 1);
        expect(() => store.putSession({ number: 1, clientId: "a", state: tooLarge })).toThrow(/1900001 bytes/);
        expect(() => store.putWill({ clientId: "a", will: tooLarge })).toThrow(/1900001 bytes/);
        expect(() => store.putChunk({ number: 1, heads: bytes(0), records: tooLarge })).toThrow(/1900001 bytes/);
        expect(meter.rowsWritten).toBe(before);
        expect(store.chunk(1)!.records.length).toBe(ROW_BYTES_MAX);
      }));

    test("stores a view's bytes only, and keeps them when the caller's or the reader's bytes change", () =>
      withStore((open) => {
        const store = open();
        const buffer = Uint8Array.of(1, 2, 3, 4);
        store.putChunk({ number: 1, heads: buffer.subarray(0, 2), records: buffer.subarray(1, 3) });
        buffer.fill(9);
        store.chunk(1)!.records.fill(8);
        store.chunkHeads(0, 1)[0].heads.fill(8);
        expect(store.chunk(1)).toEqual({ number: 1, records: Uint8Array.of(2, 3) });
        expect(store.chunkHeads(0, 1)[0].heads).toEqual(Uint8Array.of(1, 2));
      }));

    test("a new store over the same rows finds all of them", () =>
      withStore((open) => {
        const store = open();
        store.putSession({ number: 7, clientId: "a", state: bytes(3) });
        store.putSubscription({ sessionNumber: 7, filter: "a/#", options: 2, subscriptionIdentifier: 5 });
        store.putWill({ clientId: "a", will: bytes(4) });
        store.putChunk({ number: 1, heads: bytes(2), records: bytes(5) });
        const reopened = open();
        expect(reopened.sessions()).toEqual([{ number: 7, clientId: "a", state: bytes(3) }]);
        expect(reopened.subscriptions()).toEqual([{ sessionNumber: 7, filter: "a/#", options: 2, subscriptionIdentifier: 5 }]);
        expect(reopened.wills()).toEqual([{ clientId: "a", will: bytes(4) }]);
        expect(reopened.chunkHeads(0, 9)).toEqual([{ number: 1, heads: bytes(2) }]);
        expect(reopened.chunk(1)).toEqual({ number: 1, records: bytes(5) });
      }));
  });
}
