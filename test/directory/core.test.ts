/** The directory's decisions: users and their credentials, bans, and whom a change is told. */

import { describe, expect, test } from "vitest";
import type { Ban } from "../../src/directory/bans.ts";
import { DirectoryCore, FLAPPING } from "../../src/directory/core.ts";
import { credentialOf } from "../../src/directory/grants.ts";
import type { News } from "../../src/directory/news.ts";
import { DIRECTORY_CHANGES_MS, DIRECTORY_USERS_PER_CALL, FLAPPING_BANS_MAX } from "../../src/login-limits.ts";
import { MemoryDirectoryStore } from "../../src/storage/memory-directory-store.ts";
import { createRowMeter } from "../../src/storage/row-meter.ts";
import { SqliteRows } from "../simulation/rows.ts";

const OBJECTS = ["default/session/0", "default/session/1"];

function directory(objects?: readonly string[]) {
  const store = new MemoryDirectoryStore();
  const begin = (): DirectoryCore => new DirectoryCore({ store, objects, objectOf: (clientId) => `default/client/${clientId}` });
  return { store, begin, core: begin() };
}

function entry(user: string, password = `hash of ${user}`, rights = '{"acl":[]}') {
  return { user, password, rights };
}

function ban(who: string, more: Partial<Ban> = {}): Ban {
  return { kind: "clientid", who, by: "ada", reason: "", at: 0, until: Number.POSITIVE_INFINITY, ...more };
}

/** Tells everybody. */
function tell(core: DirectoryCore, isPresent = true): string[] {
  return untold(core).map(({ object, since }) => {
    core.told(object, core.news(object, since).version, isPresent);
    return object;
  });
}

/** Who has to be told something, and the version since which it knows nothing. */
function untold(core: DirectoryCore): { object: string; since: number }[] {
  return core.untoldAfter("", 10_000).map((object) => ({ object, since: core.untoldSince(object)! }));
}

describe("users", () => {
  test("a new one is known at once, and nobody has to be told", () => {
    const { core } = directory(OBJECTS);
    expect(core.look("ada", -1)).toMatchObject({ isEmpty: true, user: undefined, like: undefined });
    expect(core.putUsers([entry("ada")], "add", 1)).toEqual(["added"]);
    const { user, isEmpty } = core.look("ada", -1);
    expect([isEmpty, user!.password, credentialOf(user!.grants)]).toEqual([false, "hash of ada", 1]);
    expect(untold(core)).toEqual([]);
  });

  test("for an unknown one there is the hash of always the same other one", () => {
    const { core } = directory(OBJECTS);
    core.putUsers([entry("b"), entry("d")], "add", 1);
    expect(["a", "c", "e"].map((name) => core.look(name, 0).like)).toEqual(["hash of b", "hash of d", "hash of b"]);
    expect(core.look("b", 0).like).toBeUndefined();
  });

  test("changed rights leave the credential as it is, a changed password does not; all objects are told", () => {
    const { core } = directory(OBJECTS);
    core.putUsers([entry("ada"), entry("bob")], "add", 1);
    expect(core.putUsers([{ user: "ada", rights: '{"superuser":true}' }], "change", 2)).toEqual(["changed"]);
    expect(untold(core).map(({ object }) => object)).toEqual(OBJECTS);
    const { since } = untold(core)[0]!;
    const news = core.news(OBJECTS[0]!, since);
    expect(news.users).toMatchObject([{ user: "ada", credential: 1 }]);
    expect(news.bans).toBeUndefined();
    core.putUsers([{ user: "ada", password: "other" }], "change", 3);
    expect(core.news(OBJECTS[0]!, since).users).toMatchObject([{ user: "ada", credential: 3 }]);
  });

  test("what changes nothing is told to nobody", () => {
    const { core } = directory(OBJECTS);
    core.putUsers([entry("ada")], "add", 1);
    expect(core.putUsers([entry("ada")], "put", 2)).toEqual(["unchanged"]);
    expect(untold(core)).toEqual([]);
  });

  test("modes: added once, changed only who is there", () => {
    const { core } = directory(OBJECTS);
    expect(core.putUsers([{ user: "ada" }], "put", 1)).toMatchObject([{ code: "BAD_REQUEST" }]);
    expect(core.putUsers([entry("ada")], "change", 1)).toMatchObject([{ code: "NOT_FOUND" }]);
    core.putUsers([entry("ada")], "add", 1);
    expect(core.putUsers([entry("ada"), entry("bob"), entry("")], "add", 1)).toMatchObject([
      { code: "ALREADY_EXISTS" },
      "added",
      { code: "BAD_REQUEST" },
    ]);
    expect(core.userCount).toBe(2);
  });

  test("a removed one is told, also when one of the same name comes again before", () => {
    const { core } = directory(OBJECTS);
    core.putUsers([entry("ada")], "add", 1);
    expect([core.removeUser("ada", 2), core.removeUser("ada", 2)]).toEqual([true, false]);
    const { since } = untold(core)[0]!;
    expect(core.news(OBJECTS[0]!, since).users).toEqual([{ user: "ada", version: 2, credential: undefined, grants: undefined }]);
    core.putUsers([entry("ada")], "add", 3);
    expect(core.news(OBJECTS[0]!, since).users).toMatchObject([{ user: "ada", credential: 3 }]);
  });

  test("are listed in the order of their names", () => {
    const { core } = directory(OBJECTS);
    core.putUsers(
      ["b", "a", "\u{1f600}", "\uffee"].map((name) => entry(name)),
      "add",
      1,
    );
    const names = (users: readonly { readonly user: string }[]): string[] => users.map(({ user }) => user);
    expect([names(core.users("", 2)), names(core.users("b", 9)), names(core.users(1, 2))]).toEqual([
      ["a", "b"],
      ["\uffee", "\u{1f600}"],
      ["b", "\uffee"],
    ]);
  });
});

describe("bans", () => {
  test("are passed on as a whole, and only to who has not this version", () => {
    const { core } = directory(OBJECTS);
    expect(core.putBan(ban("c1"), 1)).toBeUndefined();
    const { bans } = core.look(undefined, -1);
    expect(bans).toMatchObject({ version: 1, bans: [{ who: "c1" }] });
    expect(core.look(undefined, 1).bans).toBeUndefined();
    expect(core.news(OBJECTS[0]!, 0).bans?.bans).toHaveLength(1);
    expect(core.removeBan("clientid", "c1", 1)).toBe(true);
    expect(core.look(undefined, 1).bans).toEqual({ version: 2, bans: [] });
  });

  test("end", () => {
    const { core } = directory(OBJECTS);
    core.putBan(ban("c1", { until: 100 }), 1);
    core.putBan(ban("c2"), 1);
    expect([core.sweepAt, core.sweep(99), core.sweep(100), core.sweepAt]).toEqual([100, 0, 1, Number.POSITIVE_INFINITY]);
    expect(core.bans.map(({ who }) => who)).toEqual(["c2"]);
  });

  test("a wrong one is refused, and those that are made by themselves leave room for others", () => {
    const { core } = directory(OBJECTS);
    expect(core.putBan(ban("(", { kind: "clientid_re" }), 1)).toContain("regular expression");
    for (let index = 0; index < FLAPPING_BANS_MAX; index += 1) core.putBan(ban(`f${index}`, { by: FLAPPING, until: 100 }), 1);
    expect(core.putBan(ban("f", { by: FLAPPING }), 1)).toContain("by flapping");
    expect(core.putBan(ban("f0", { by: FLAPPING, until: 200 }), 1)).toBeUndefined();
    expect(core.putBan(ban("c"), 1)).toBeUndefined();
    expect(core.putBan(ban("f", { by: FLAPPING }), 150)).toBeUndefined();
  });
});

test("a database that was put back to an earlier moment gives no version again", () => {
  const { core } = directory(OBJECTS);
  core.putBan(ban("c1"), 1_000);
  const later = core.look(undefined, -1).version;
  const { core: earlier } = directory(OBJECTS);
  earlier.putUsers([entry("ada")], "add", 900);
  earlier.putBan(ban("c2"), 2_000);
  expect(earlier.look(undefined, -1).version).toBeGreaterThan(later);
});

describe("who is told", () => {
  test("every object, until it has taken all of it; a restart forgets nobody", () => {
    const { core, begin } = directory(OBJECTS);
    core.putUsers([entry("ada")], "add", 1);
    core.removeUser("ada", 2);
    const [first] = untold(core);
    core.putBan(ban("c1"), 3);
    core.told(first!.object, 2, true);
    const again = begin();
    expect(untold(again)).toEqual([
      { object: OBJECTS[0], since: 2 },
      { object: OBJECTS[1], since: 1 },
    ]);
    expect(tell(again)).toEqual(OBJECTS);
    expect(untold(again)).toEqual([]);
    expect(again.recent(3, "").users.map(({ user }) => user)).toEqual(["ada"]);
    expect(again.recent(2 + DIRECTORY_CHANGES_MS, "").users).toEqual([]);
  });

  test("changes are forgotten when everybody was told and they are no news any more; a restart remembers when", () => {
    const { core, begin, store } = directory(OBJECTS);
    core.putUsers([entry("ada"), entry("bob")], "add", 1);
    core.removeUser("ada", 2);
    const over = 2 + DIRECTORY_CHANGES_MS;
    core.sweepChanges(over);
    expect([core.sweepAt, store.change("ada") !== undefined]).toEqual([Number.POSITIVE_INFINITY, true]);
    tell(core);
    expect([core.sweepAt, begin().sweepAt]).toEqual([over, over]);
    core.sweepChanges(over - 1);
    expect(store.change("ada")).toBeDefined();
    core.removeUser("bob", over - 1);
    tell(core);
    core.sweepChanges(over);
    expect([store.change("ada") !== undefined, store.change("bob") !== undefined, core.sweepAt]).toEqual([
      false,
      true,
      over + DIRECTORY_CHANGES_MS,
    ]);
    core.sweepChanges(core.sweepAt);
    expect([store.firstChangeAt(), core.sweepAt, begin().sweepAt]).toEqual([undefined, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  });

  test("of those whose objects are not known nobody is looked for who can't be concerned, and all at once never", () => {
    const { core, store } = directory();
    const names = Array.from({ length: 2_500 }, (_, index) => `c${index}`);
    for (const clientId of names)
      store.putPresence({ object: `default/client/${clientId}`, clientId, userName: "ada", address: "10.0.0.1" });
    const pages: number[] = [];
    const { presencesAfter } = store;
    store.presencesAfter = (...asked) => {
      const page = presencesAfter.apply(store, asked);
      pages.push(page.length);
      return page;
    };
    expect(core.putBan(ban("c7"), 1)).toBeUndefined();
    expect(core.putBan(ban("c"), 1)).toBeUndefined();
    expect(core.putBan(ban("bob", { kind: "username", until: 5 }), 1)).toBeUndefined();
    core.removeBan("clientid", "c", 2);
    core.sweep(6);
    expect([tell(core), pages]).toEqual([["default/client/c7"], []]);
    expect(core.putBan(ban("ada", { kind: "username" }), 7)).toBeUndefined();
    expect(tell(core)).toHaveLength(names.length);
    expect(core.putBan(ban("^c1", { kind: "clientid_re" }), 8)).toBeUndefined();
    expect(tell(core)).toHaveLength(names.filter((name) => name.startsWith("c1")).length);
    expect([Math.max(...pages) < names.length, pages.reduce((sum, each) => sum + each)]).toEqual([true, names.length]);
  });

  test("where each client has its own object, those of whom it is known that they are concerned", () => {
    const { core } = directory();
    core.putUsers([entry("ada"), entry("bob")], "add", 1);
    const enter = (clientId: string, userName: string | undefined, address: string) =>
      core.enter({ object: `default/client/${clientId}`, clientId, userName, address }, 2);
    enter("c1", "ada", "10.0.0.1");
    enter("c2", "bob", "10.0.0.2");
    enter("c3", undefined, "10.0.0.1");
    core.removeUser("ada", 3);
    expect(tell(core)).toEqual(["default/client/c1"]);
    core.putBan(ban("10.0.0.1", { kind: "peerhost" }), 4);
    expect(tell(core, false)).toEqual(["default/client/c1", "default/client/c3"]);
    core.putBan(ban("10.0.0.0/8", { kind: "peerhost_net" }), 5);
    expect(tell(core)).toEqual(["default/client/c2"]);
    expect(enter("c1", "ada", "10.0.0.1")).toMatchObject({ bans: { bans: [{}, {}] }, users: [{ user: "ada", credential: undefined }] });
  });

  test("of a user who was changed while out of reach, though somebody else of that Client Identifier was refused meanwhile", () => {
    const { core, begin } = directory();
    core.putUsers([entry("ada"), entry("bob")], "add", 1);
    const enter = (userName: string, at: number) =>
      core.enter({ object: "default/client/c", clientId: "c", userName, address: "10.0.0.1" }, at);
    enter("ada", 2);
    core.removeUser("ada", 3);
    // Nobody could be told, and changes of others came.
    core.putUsers([entry("bob", "another"), entry("eve")], "put", 4);
    const later = 3 + 2 * DIRECTORY_CHANGES_MS;
    enter("bob", later);
    core.sweepChanges(later);
    const now = begin();
    const [{ object, since }] = untold(now) as [{ object: string; since: number }];
    const news = now.news(object, since);
    expect(news.users).toMatchObject([
      { user: "ada", credential: undefined },
      { user: "bob", credential: 4 },
    ]);
    // What has changed while that was told.
    now.putUsers([entry("ada")], "add", later + 1);
    now.told(object, news.version, true);
    expect(untold(now)).toEqual([{ object, since: news.version }]);
    expect(now.news(object, news.version).users).toMatchObject([{ user: "ada", credential: later + 1 }]);
    expect([tell(now), untold(now)]).toEqual([[object], []]);
    // From then on it is told what concerns its user alone.
    now.removeUser("ada", later + 2);
    now.putBan(ban("c"), later + 3);
    expect(now.news(object, untold(now)[0]!.since)).toMatchObject({ users: [], bans: { bans: [{}] } });
  });

  test("what a client says of itself stands where a session is brought to its object, until that is there in its place", () => {
    const { core, store } = directory();
    const object = "default/client/c1";
    const real = { object, clientId: "c1", userName: "ada", address: "10.0.0.1" };
    const brought = { ...real, userName: "bob", address: "" };
    core.enter(real, 1);
    const before = core.expect(brought, undefined);
    core.putBan(ban("10.0.0.1", { kind: "peerhost" }), 2);
    expect([before, tell(core)]).toEqual([real, [object]]);
    expect([core.expect(brought, before), store.presence(object)]).toEqual([brought, brought]);
    core.enter(real, 3);
    expect([core.expect(brought, brought), store.presence(object)]).toEqual([real, real]);
    core.told(object, 3, false);
    expect([core.expect(brought, real), store.presence(object)]).toEqual([brought, brought]);
  });
});

describe("what is read for one login, and what it is told", () => {
  const CHANGED = 5000;

  function changed(objects?: readonly string[]) {
    const meter = createRowMeter();
    const { directory: store } = new SqliteRows(meter);
    const core = new DirectoryCore({ store, objects });
    const names = Array.from({ length: CHANGED }, (_, index) => `u${String(index).padStart(4, "0")}`);
    core.putUsers(
      names.map((name) => entry(name)),
      "add",
      1,
    );
    core.putUsers(
      names.map((name) => entry(name, "another")),
      "change",
      2,
    );
    return { core, meter, names };
  }

  test("of an object that is one client's: what concerns its user", () => {
    const { core, meter } = changed();
    const object = "default/client/c";
    const before = meter.rowsRead;
    const { users } = core.enter({ object, clientId: "c", userName: "u0042", address: "" }, 3);
    expect([users.map(({ user, credential }) => [user, credential]), meter.rowsRead - before < 10]).toEqual([[["u0042", 2]], true]);
    expect(core.enter({ object, clientId: "c", userName: "u0042", address: "" }, 2 + DIRECTORY_CHANGES_MS).users).toEqual([]);
    core.putUsers([entry("u0042", "third"), entry("u0043", "third")], "change", 4);
    const told = meter.rowsRead;
    expect(core.untoldAfter("", 9)).toEqual([object]);
    expect([core.news(object, 2).users.map(({ user }) => user), meter.rowsRead - told < 10]).toEqual([["u0042"], true]);
  });

  test("of one that is many clients': all of it, in pieces", () => {
    const { core, names } = changed(OBJECTS);
    const all = (page: (after: string) => News): [string[], number] => {
      const [users, pages]: [string[], News[]] = [[], [page("")]];
      while (pages.at(-1)!.next !== undefined) pages.push(page(pages.at(-1)!.next!));
      for (const each of pages) users.push(...each.users.map(({ user }) => user));
      for (const each of pages) expect(each.users.length).toBeLessThanOrEqual(DIRECTORY_USERS_PER_CALL);
      return [users, pages.length];
    };
    for (const page of [(after: string) => core.recent(3, after), (after: string) => core.news(OBJECTS[0]!, 1, after)]) {
      const [users, pages] = all(page);
      expect([users, pages]).toEqual([names, CHANGED / DIRECTORY_USERS_PER_CALL + 1]);
    }
  });
});
