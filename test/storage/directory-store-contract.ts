/** What every DirectoryStore does. Run on memory in Node and on SQLite in workerd. */

import { describe, expect, test } from "vitest";
import type { Ban } from "../../src/directory/bans.ts";
import type { DirectoryStore, UserRow } from "../../src/directory/ports.ts";
import { compareTopics } from "../../src/topic/order.ts";
import type { WithStore } from "./support.ts";

const NAMES = ["b", "a", "\u{1f600}", "\uffee", "A", "a b", "ä"];

function row(user: string, more: Partial<UserRow> = {}): UserRow {
  return {
    user,
    password: `hash of ${user}`,
    rights: '{"acl":[]}',
    credential: 3,
    createdAt: 1_800_000_000_000,
    changedAt: 1_800_000_000_001,
    ...more,
  };
}

function ban(who: string, more: Partial<Ban> = {}): Ban {
  return { kind: "clientid", who, by: "ada", reason: "why", at: 5, until: Number.POSITIVE_INFINITY, ...more };
}

export function directoryStoreContract(name: string, withStore: WithStore<DirectoryStore>): void {
  describe(`${name}: directory store`, () => {
    test("is empty at first, and reading and deleting write nothing", () =>
      withStore((open, meter) => {
        const store = open();
        expect([store.state(), store.user("a"), store.users("", 9), store.countUsers(), store.bans(), store.hasUntold()]).toEqual([
          undefined,
          undefined,
          [],
          0,
          [],
          false,
        ]);
        expect([store.deleteUser("a"), store.deleteBan("clientid", "a"), store.presence("o"), store.presencesAfter("", 9)]).toEqual([
          false,
          false,
          undefined,
          [],
        ]);
        store.deleteUntold("o");
        store.deletePresence("o");
        store.deleteChanges(9);
        expect(meter.rowsWritten).toBe(0);
      }));

    test("keeps users in the order of their names; a put replaces", () =>
      withStore((open) => {
        const store = open();
        for (const user of NAMES) store.putUser(row(user));
        store.putUser(row("a", { password: "other", credential: 9 }));
        const sorted = [...NAMES].sort(compareTopics);
        const names = (rows: readonly UserRow[]): string[] => rows.map(({ user }) => user);
        expect(names(store.users("", 100))).toEqual(sorted);
        expect(names(store.users("a", 2))).toEqual(sorted.slice(sorted.indexOf("a") + 1).slice(0, 2));
        expect(names(store.usersFrom(2, 3))).toEqual(sorted.slice(2, 5));
        expect(store.user("a")).toEqual(row("a", { password: "other", credential: 9 }));
        expect([store.deleteUser("a"), store.deleteUser("a"), store.countUsers(), store.user("a")]).toEqual([
          true,
          false,
          NAMES.length - 1,
          undefined,
        ]);
      }));

    test("keeps bans by kind and name, for some time or for ever", () =>
      withStore((open) => {
        const store = open();
        store.putBan(ban("x"));
        store.putBan(ban("x", { kind: "username", until: 77 }));
        store.putBan(ban("x", { reason: "another" }));
        expect(store.bans().sort((one, other) => compareTopics(one.kind, other.kind))).toEqual([
          ban("x", { reason: "another" }),
          ban("x", { kind: "username", until: 77 }),
        ]);
        expect([store.deleteBan("clientid", "x"), store.deleteBan("clientid", "x")]).toEqual([true, false]);
        expect(store.bans()).toEqual([ban("x", { kind: "username", until: 77 })]);
      }));

    test("keeps versions, changes, and who has to be told", () =>
      withStore((open) => {
        const store = open();
        store.putState({ version: 4, bans: 2 });
        store.putState({ version: 5, bans: 2 });
        for (const [version, at] of [
          [3, 30],
          [5, 50],
          [4, 40],
        ] as const) {
          store.putChange({ user: version === 4 ? "a" : "b", version, at });
        }
        store.putUntold({ object: "o", since: 3 });
        store.putUntold({ object: "o", since: 4 });
        expect([store.state(), store.hasUntold(), store.untoldOf("o"), store.untoldOf("p")]).toEqual([
          { version: 5, bans: 2 },
          true,
          { object: "o", since: 4 },
          undefined,
        ]);
        for (const since of [0, 4]) {
          store.putUntold({ object: "p", since, ofAll: true });
          expect(store.untoldOf("p")).toEqual({ object: "p", since, ofAll: true });
        }
        for (const object of ["\uffff", "\ud83d\ude00", "p"]) store.putUntold({ object, since: 4 });
        expect(store.untoldOf("p")).toEqual({ object: "p", since: 4 });
        expect([store.untoldAfter("", 2), store.untoldAfter("p", 9), store.untoldAfter("\ud83d\ude00", 1)]).toEqual([
          ["o", "p"],
          ["\uffff", "\ud83d\ude00"],
          [],
        ]);
        for (const object of ["\uffff", "\ud83d\ude00", "p"]) store.deleteUntold(object);
        const [a, b] = [
          { user: "a", version: 4, at: 40 },
          { user: "b", version: 5, at: 50 },
        ];
        expect([store.changesSince(4, "", 9), store.changesSince(0, "", 1), store.changesSince(0, "a", 9)]).toEqual([[b], [a], [b]]);
        expect([store.changesAfter(40, "", 9), store.changesAfter(50, "", 9)]).toEqual([[b], []]);
        expect([store.changesAfter(0, "", 1), store.changesAfter(0, "a", 9)]).toEqual([[a], [b]]);
        expect([store.firstChangeAt(), store.change("a"), store.change("c")]).toEqual([40, a, undefined]);
        store.deleteChanges(50);
        expect([store.firstChangeAt(), store.change("a")]).toEqual([50, undefined]);
        expect(store.changesSince(0, "", 9)).toEqual([b]);
        store.deleteUntold("o");
        expect([store.hasUntold(), store.untoldAfter("", 9)]).toEqual([false, []]);
      }));

    test("keeps who is where, with a user name or without", () =>
      withStore((open) => {
        const store = open();
        const here = { object: "o1", clientId: "c1", userName: "ada", address: "::1" };
        const anonymous = { object: "o2", clientId: "c2", userName: undefined, address: "" };
        for (const each of [{ ...here, userName: "bob" }, here, anonymous]) store.putPresence(each);
        expect([store.presence("o1"), store.presence("o2")]).toEqual([here, anonymous]);
        store.putPresence({ ...here, object: "\ud83d\ude00" });
        store.putPresence({ ...here, object: "\uffff" });
        expect([store.presentAfter("", 10), store.presentAfter("o1", 2), store.presentAfter("\ud83d\ude00", 2)]).toEqual([
          ["o1", "o2", "\uffff", "\ud83d\ude00"],
          ["o2", "\uffff"],
          [],
        ]);
        expect(store.presencesAfter("", 2)).toEqual([here, anonymous]);
        expect(store.presencesAfter("o1", 1)).toEqual([anonymous]);
        expect(store.objectsOf(["ada", "bob"]).sort(compareTopics)).toEqual(["o1", "\uffff", "\ud83d\ude00"]);
        expect([store.objectsOf(["bob"]), store.objectsOf([""]), store.objectsOf([])]).toEqual([[], [], []]);
        for (const object of ["\uffff", "\ud83d\ude00"]) store.deletePresence(object);
        store.deletePresence("o1");
        expect(store.presencesAfter("", 9)).toEqual([anonymous]);
      }));

    test("keeps how far they have been asked, which is nobody's presence", () =>
      withStore((open) => {
        const store = open();
        expect(store.round()).toBeUndefined();
        for (const after of ["o1", undefined]) {
          store.putRound({ slot: 7, after });
          expect(store.round()).toEqual({ slot: 7, after });
        }
        expect([store.presentAfter("", 9), store.presencesAfter("", 9), store.objectsOf([""])]).toEqual([[], [], []]);
      }));
  });
}
