/**
 * What every RoutingStore does. Run on memory in Node and on SQLite in workerd: a behaviour that only one of them has is a bug of the
 * other, and a cost measured on memory is the cost on the platform.
 */

import { describe, expect, test } from "vitest";
import type { RoutingStore } from "../../src/routing/ports.ts";
import { RETAINED_COUNTED_MAX, RETAINED_INLINE_BYTES_MAX, ROW_BYTES_MAX } from "../../src/storage-limits.ts";
import { compareTopics } from "../../src/topic/order.ts";
import { scanTopics } from "../../src/topic/retained-scan.ts";
import { bytes, NASTY_TOPICS, sameBytes, type WithStore } from "./support.ts";

export function routingStoreContract(name: string, withStore: WithStore<RoutingStore>): void {
  const put = (store: RoutingStore, topic: string, expiresAt = 0): void => store.putRetained({ topic, message: bytes(3), expiresAt });
  const rangeOf = (store: RoutingStore, from: string, to?: string): string[] => [...store.range!(from, to)];
  const numbered = (index: number): string => `t/${String(index).padStart(5, "0")}`;

  describe(`${name}: routing store`, () => {
    test("is empty at first, and reading and deleting write nothing", () =>
      withStore((open, meter) => {
        const store = open();
        expect([store.routes(), store.retained("a"), store.holding().count, store.seek(""), rangeOf(store, "")]).toEqual([
          [],
          undefined,
          0,
          undefined,
          [],
        ]);
        store.deleteRoute("a", "s");
        expect(store.deleteRetained("a")).toBe(false);
        expect(store.deleteExpiredRetained(1, 10)).toBe(0);
        expect(meter.rowsWritten).toBe(0);
      }));

    test("keeps routes by filter and Session object; a put replaces", () =>
      withStore((open) => {
        const store = open();
        store.putRoute({ filter: "a/#", sessionObject: "s2", qos: 0, version: 1, members: 0, online: 0 });
        store.putRoute({ filter: "a/#", sessionObject: "s1", qos: 1, version: 2, members: 0, online: 0 });
        store.putRoute({ filter: "+", sessionObject: "s1", qos: 2, version: 3, members: 0, online: 0 });
        store.putRoute({ filter: "a/#", sessionObject: "s2", qos: 2, version: 2 ** 40, members: 0, online: 0 });
        store.deleteRoute("a/#", "s1");
        store.deleteRoute("a/#", "s3");
        expect(store.routes()).toEqual([
          { filter: "+", sessionObject: "s1", qos: 2, version: 3, members: 0, online: 0 },
          { filter: "a/#", sessionObject: "s2", qos: 2, version: 2 ** 40, members: 0, online: 0 },
        ]);
      }));

    test("keeps one lineage; a put replaces", () =>
      withStore((open) => {
        const store = open();
        expect(store.lineage()).toBeUndefined();
        store.putLineage("5<2");
        store.putLineage("");
        expect(store.lineage()).toBe("");
      }));

    test("keeps one retained message a topic, with its time, and counts them", () =>
      withStore((open) => {
        const store = open();
        store.putRetained({ topic: "a", message: bytes(3), expiresAt: 1_795_000_000_123 });
        expect(store.holding().count).toBe(1);
        store.putRetained({ topic: "a", message: bytes(9, 1), expiresAt: 0 });
        store.putRetained({ topic: "b", message: bytes(0), expiresAt: 5 });
        expect(store.retained("a")).toEqual({ topic: "a", message: bytes(9, 1), expiresAt: 0 });
        expect(store.retained("b")).toEqual({ topic: "b", message: bytes(0), expiresAt: 5 });
        expect(store.retained("A")).toBeUndefined();
        expect(store.holding().count).toBe(2);
        expect(store.deleteRetained("a")).toBe(true);
        expect(store.deleteRetained("a")).toBe(false);
        expect(store.retained("a")).toBeUndefined();
        expect(store.holding().count).toBe(1);
      }));

    test("knows what each user keeps, also after replacement by another, deletion, expiry and over the same rows", () =>
      withStore((open) => {
        let store = open();
        const owned = (topic: string, owner: number | undefined, size: number, expiresAt = 0): void =>
          store.putRetained({ topic, message: bytes(size), expiresAt, ...(owner === undefined ? {} : { owner }) });
        const holdings = (): (readonly [number, number])[] =>
          [store.holding(), ...[0, ADA, BOB].map((owner) => store.holdingOf(owner))].map(({ count, bytes }) => [count, bytes]);
        const [ADA, BOB] = [2 ** 52 + 1, 7];
        owned("a", ADA, 10);
        owned("b", ADA, 20);
        expect(holdings()).toEqual([
          [2, 30],
          [0, 0],
          [2, 30],
          [0, 0],
        ]);
        owned("b", BOB, 5);
        owned("c", undefined, 1);
        owned("d", BOB, 100, 50);
        owned("a", ADA, 11);
        expect(holdings()).toEqual([
          [4, 117],
          [1, 1],
          [1, 11],
          [2, 105],
        ]);
        expect([store.kept("a"), store.kept("c"), store.kept("e")]).toEqual([{ owner: ADA, bytes: 11 }, { owner: 0, bytes: 1 }, undefined]);
        expect(store.retained("a")).toEqual({ topic: "a", message: bytes(11), expiresAt: 0, owner: ADA });
        store = open();
        expect(store.kept("b")).toEqual({ owner: BOB, bytes: 5 });
        expect(store.deleteExpiredRetained(50, 10)).toBe(1);
        store.deleteRetained("a");
        expect(holdings()).toEqual([
          [2, 6],
          [1, 1],
          [0, 0],
          [1, 5],
        ]);
        expect(store.retained("b")?.damaged).toBeUndefined();
      }));

    test("a put costs one row, new or replaced; a delete one for each row that existed", () =>
      withStore((open, meter) => {
        const store = open();
        put(store, "first");
        const costs = (action: () => void): number => {
          const before = meter.rowsWritten;
          action();
          return meter.rowsWritten - before;
        };
        const route = { filter: "a", sessionObject: "s", qos: 1, version: 1, members: 0, online: 0 } as const;
        expect(costs(() => store.putRoute(route))).toBe(1);
        expect(costs(() => store.putRoute({ ...route, qos: 2 }))).toBe(1);
        expect(costs(() => store.deleteRoute("a", "s"))).toBe(1);
        expect(costs(() => store.deleteRoute("a", "s"))).toBe(0);
        expect(costs(() => put(store, "a"))).toBe(1);
        expect(costs(() => put(store, "a", 9))).toBe(1);
        expect(costs(() => store.deleteRetained("a"))).toBe(1);
        expect(costs(() => store.deleteRetained("a"))).toBe(0);
        for (let index = 0; index < 5; index++) put(store, numbered(index), 10);
        expect(costs(() => store.deleteExpiredRetained(10, 3))).toBe(3);
        expect(costs(() => store.holding().count)).toBe(0);
        expect(costs(() => rangeOf(store, ""))).toBe(0);
      }));

    test("what is large costs a row more, whatever it takes the place of, and goes with its topic", () =>
      withStore((open, meter) => {
        let store = open();
        const costs = (action: () => void): number => {
          const before = meter.rowsWritten;
          action();
          return meter.rowsWritten - before;
        };
        const put = (topic: string, size: number, expiresAt = 0): number =>
          costs(() => store.putRetained({ topic, message: bytes(size, size), expiresAt }));
        const expectMessage = (topic: string, size: number): void => {
          const row = store.retained(topic);
          expect(row?.damaged).toBeUndefined();
          expect(row && sameBytes(row.message, bytes(size, size))).toBe(true);
          expect(store.kept(topic)).toEqual({ owner: 0, bytes: size });
        };
        const [INLINE, LARGE] = [RETAINED_INLINE_BYTES_MAX, RETAINED_INLINE_BYTES_MAX + 1];
        put("first", 1);
        expect([put("a", INLINE), put("b", LARGE), put("c", LARGE), put("b", 5 * LARGE)]).toEqual([1, 2, 2, 2]);
        expectMessage("b", 5 * LARGE);
        expectMessage("c", LARGE);
        // Its row of its own is given to the next one.
        expect([put("c", 7), put("d", LARGE + 1), put("c", LARGE), put("a", LARGE + 2)]).toEqual([3, 2, 2, 2]);
        for (const reopened of [false, true]) {
          if (reopened) store = open();
          expectMessage("a", LARGE + 2);
          expectMessage("b", 5 * LARGE);
          expectMessage("c", LARGE);
          expectMessage("d", LARGE + 1);
          expect(store.holding()).toEqual({ count: 5, bytes: 1 + 8 * LARGE + 3 });
          expect(store.holdingOf(0)).toEqual(store.holding());
        }
        expect(put("b", LARGE, 10)).toBe(2);
        expect(costs(() => store.deleteRetained("a"))).toBe(2);
        expect(costs(() => expect(store.deleteExpiredRetained(10, 100)).toBe(1))).toBe(2);
        expect([store.retained("a"), store.retained("b"), store.holding()]).toEqual([
          undefined,
          undefined,
          { count: 3, bytes: 2 * LARGE + 2 },
        ]);
      }));

    test("deletes what has expired by now, never what has no expiry, at most as many as asked", () =>
      withStore((open) => {
        const store = open();
        for (let index = 0; index < 10; index++) put(store, numbered(index), 1000 + index);
        put(store, "for ever", 0);
        expect(store.deleteExpiredRetained(999, 100)).toBe(0);
        expect(store.deleteExpiredRetained(1000, 100)).toBe(1);
        expect(store.deleteExpiredRetained(1005, 3)).toBe(3);
        expect(store.holding().count).toBe(7);
        expect(store.deleteExpiredRetained(1005, 3)).toBe(2);
        expect(store.deleteExpiredRetained(5000, 100)).toBe(4);
        // Nothing more will expire, until something is put that does.
        expect(store.deleteExpiredRetained(6000, 100)).toBe(0);
        put(store, "later", 6500);
        expect([store.deleteExpiredRetained(6499, 100), store.deleteExpiredRetained(6500, 100)]).toEqual([0, 1]);
        expect(store.holding().count).toBe(1);
        expect(rangeOf(store, "")).toEqual(["for ever"]);
      }));

    test("[MQTT5-4.7.3-4] [MQTT311-4.7.3-4] keeps topics apart that differ in case, form or white space, ordered by UTF-8 bytes", () =>
      withStore((open) => {
        const store = open();
        const shuffled = [...NASTY_TOPICS].sort((a, b) => a.length - b.length || (a < b ? 1 : -1));
        for (const topic of shuffled) put(store, topic);
        expect(rangeOf(store, "")).toEqual(NASTY_TOPICS);
        expect(store.holding().count).toBe(NASTY_TOPICS.length);
        for (const topic of NASTY_TOPICS) expect(store.retained(topic)?.topic).toBe(topic);
      }));

    test("finds what was put where it had looked in vain", () =>
      withStore((open) => {
        const store = open();
        for (const from of ["m", "", "z", "m"]) expect(store.seek(from)).toBeUndefined();
        put(store, "a");
        expect([store.seek(""), store.seek("b")]).toEqual(["a", undefined]);
        put(store, "b");
        put(store, "n");
        expect([store.seek("b"), store.seek("c"), store.seek("m"), store.seek("o")]).toEqual(["b", "n", "n", undefined]);
        // In the order of code points a surrogate comes after U+FFFF.
        put(store, "\uffff");
        expect([store.seek("\u{1f600}"), store.seek("\uffff")]).toEqual([undefined, "\uffff"]);
        put(store, "\u{1f600}");
        expect(store.seek("\u{1f600}")).toBe("\u{1f600}");
        store.deleteRetained("\u{1f600}");
        expect(store.seek("\u{1f600}")).toBeUndefined();
      }));

    test("seeks the first topic that is not before a name, and ranges are closed below and open above", () =>
      withStore((open) => {
        const store = open();
        const stored = NASTY_TOPICS.filter((_, index) => index % 2 === 0);
        for (const topic of stored) put(store, topic);
        for (const from of NASTY_TOPICS) {
          expect(store.seek(from)).toBe(stored.find((topic) => compareTopics(topic, from) >= 0));
          for (const to of NASTY_TOPICS) {
            const expected = stored.filter((topic) => compareTopics(topic, from) >= 0 && compareTopics(topic, to) < 0);
            expect(rangeOf(store, from, to)).toEqual(expected);
          }
        }
      }));

    test("2,000 topics come page by page, each once and in order", () =>
      withStore((open) => {
        const store = open();
        const topics = Array.from({ length: 2000 }, (_, index) => numbered(index));
        for (const topic of topics) put(store, topic);
        put(store, "s");
        put(store, "u");
        expect(rangeOf(store, "t/", "t0")).toEqual(topics);
        expect(rangeOf(store, "")).toEqual(["s", ...topics, "u"]);
        // Ends that fall on the ends of pages of 100, 200, 400 and 800.
        for (const count of [99, 100, 101, 299, 300, 301, 700, 1500]) {
          expect(rangeOf(store, numbered(0), numbered(count))).toEqual(topics.slice(0, count));
        }
        expect([...scanTopics("t/+", store)]).toEqual(topics);
        expect(store.holding().count).toBe(2002);
      }));

    test("a range reads ahead: few more rows than it yields", () =>
      withStore((open, meter) => {
        const store = open();
        for (let index = 0; index < 2000; index++) put(store, numbered(index));
        const before = meter.rowsRead;
        expect(rangeOf(store, numbered(0), numbered(1000))).toHaveLength(1000);
        expect(meter.rowsRead - before).toBeLessThan(1100);
      }));

    test("a range stays right when rows change between its pages", () =>
      withStore((open) => {
        const store = open();
        const even = Array.from({ length: 2000 }, (_, index) => numbered(2 * index));
        for (const topic of even) put(store, topic);
        const met: string[] = [];
        for (const topic of store.range!("", undefined)) {
          met.push(topic);
          // Behind, at and far ahead of the place: removals and additions.
          if (met.length === 100) {
            store.deleteRetained(numbered(0));
            store.deleteRetained(topic);
            put(store, numbered(1));
            store.deleteRetained(numbered(3000));
            put(store, numbered(3001));
          }
          if (met.length === 300) for (let index = 3990; index < 4000; index++) store.deleteRetained(numbered(index));
        }
        const expected = even.filter((topic) => topic !== numbered(3000) && topic < numbered(3990));
        expected.push(numbered(3001));
        expect(met).toEqual(expected.sort(compareTopics));
      }));

    test("takes messages up to ROW_BYTES_MAX and gives them back unchanged; one byte more throws and changes nothing", () =>
      withStore((open, meter) => {
        const store = open();
        const largest = bytes(ROW_BYTES_MAX, 7);
        const topic = "t".repeat(65_535);
        put(store, "a");
        const before = meter.rowsWritten;
        store.putRetained({ topic, message: largest, expiresAt: 0 });
        expect(meter.rowsWritten - before).toBe(2);
        expect(sameBytes(store.retained(topic)!.message, largest)).toBe(true);
        expect(() => store.putRetained({ topic, message: bytes(ROW_BYTES_MAX + 1), expiresAt: 0 })).toThrow(/1900001 bytes/);
        expect(store.retained(topic)?.message.length).toBe(ROW_BYTES_MAX);
        expect(store.holding().count).toBe(2);
      }));

    test("stores a view's bytes only, and keeps them when the caller's or the reader's bytes change", () =>
      withStore((open) => {
        const store = open();
        const buffer = Uint8Array.of(1, 2, 3, 4);
        store.putRetained({ topic: "a", message: buffer.subarray(1, 3), expiresAt: 0 });
        buffer.fill(9);
        store.retained("a")?.message.fill(8);
        expect(store.retained("a")?.message).toEqual(Uint8Array.of(2, 3));
      }));

    test("a new store over the same rows finds all of them", () =>
      withStore((open, meter) => {
        const store = open();
        for (const topic of NASTY_TOPICS) put(store, topic);
        store.putRoute({ filter: "a", sessionObject: "s", qos: 1, version: 4, members: 0, online: 0 });
        const reopened = open();
        const { rowsRead } = meter;
        expect([undefined, NASTY_TOPICS.length]).toContain(reopened.knownRetainedCount());
        expect(meter.rowsRead).toBe(rowsRead);
        expect(reopened.holding().count).toBe(NASTY_TOPICS.length);
        expect(reopened.knownRetainedCount()).toBe(NASTY_TOPICS.length);
        expect(rangeOf(reopened, "")).toEqual(NASTY_TOPICS);
        expect(reopened.retained("a")).toEqual({ topic: "a", message: bytes(3), expiresAt: 0 });
        expect(reopened.routes()).toEqual([{ filter: "a", sessionObject: "s", qos: 1, version: 4, members: 0, online: 0 }]);
      }));

    test("whoever only looks how many there are has few of them counted, and not many", () =>
      withStore((open, meter) => {
        const store = open();
        expect(store.fewRetainedCount()).toBe(0);
        for (let index = 0; index < RETAINED_COUNTED_MAX; index += 1) put(store, `t/${index}`);
        const few = open();
        expect([few.fewRetainedCount(), few.holding()]).toEqual([RETAINED_COUNTED_MAX, store.holding()]);
        put(few, "more");
        expect(few.fewRetainedCount()).toBe(RETAINED_COUNTED_MAX + 1);
        put(few, "and more");
        const many = open();
        const { rowsRead } = meter;
        for (let look = 0; look < 3; look += 1) expect([undefined, RETAINED_COUNTED_MAX + 2]).toContain(many.fewRetainedCount());
        expect(meter.rowsRead - rowsRead).toBeLessThanOrEqual(RETAINED_COUNTED_MAX + 1);
        expect(many.holding()).toEqual(few.holding());
        expect(many.fewRetainedCount()).toBe(RETAINED_COUNTED_MAX + 2);
        const fewer = open();
        fewer.fewRetainedCount();
        for (const topic of ["more", "and more"]) fewer.deleteRetained(topic);
        expect(fewer.fewRetainedCount()).toBe(RETAINED_COUNTED_MAX);
      }));
  });
}
