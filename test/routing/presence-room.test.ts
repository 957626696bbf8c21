/** Who is there under one filter, of what Session objects say: what is news, what is listed, and what is only counted. */

import { describe, expect, test } from "vitest";
import { type Listing, PresenceRoom } from "../../src/routing/presence-room.ts";
import { PRESENCE_LISTED_MAX, PRESENCE_LISTED_OF_OBJECT_MAX } from "../../src/share-limits.ts";
import type { Member, PresenceReport } from "../../src/topic/presence.ts";

const members = (...names: string[]): Member[] => names.map((clientid) => ({ clientid, username: null }));
const many = (count: number, prefix = "m"): Member[] => members(...Array.from({ length: count }, (_, index) => `${prefix}${index}`));
const NO_REPORT: PresenceReport = { whole: false, first: false, lost: false, over: false, count: 0, came: [], left: [] };

const whole = (came: Member[], more: Partial<PresenceReport> = {}): PresenceReport => ({
  ...NO_REPORT,
  ...{ whole: true, count: came.length, came, ...more },
});
const changes = (count: number, came: Member[], left: Member[]): PresenceReport => ({ ...NO_REPORT, count, came, left });
const names = (list: Iterable<Member>): string[] => [...list].map(({ clientid }) => clientid);

describe("what is news", () => {
  test("nothing of what those say who are asked first; then who has come, and gone, each once", () => {
    const room = new PresenceRoom(true, { listed: 0 });
    for (const object of ["1", "2"]) room.awaited.add(object);
    expect(room.take("1", whole(members("a", "b"), { first: true }))).toEqual({ came: [], left: [], isUnclear: false });
    expect([room.count, room.isComplete]).toEqual([2, false]);
    expect(room.take("2", whole([])).came).toEqual([]);
    expect(room.isComplete).toBe(true);
    expect(names(room.take("2", changes(1, members("c"), [])).came)).toEqual(["c"]);
    expect(room.take("2", changes(1, members("c"), [])).came).toEqual([]);
    expect(names(room.take("1", changes(1, [], members("b"))).left)).toEqual(["b"]);
    expect(room.take("1", changes(1, [], members("b"))).left).toEqual([]);
    expect([room.count, names(room.members())]).toEqual([2, ["a", "c"]]);
    // It says all that it has again: what it had not said before is news.
    const { came, left } = room.take("1", whole(members("d")));
    expect([names(came), names(left)]).toEqual([["d"], ["a"]]);
  });

  test("of an object that was not waited for any longer, all; of one that wants it no more, that all have gone", () => {
    const room = new PresenceRoom(true, { listed: 0 });
    room.awaited.add("1");
    room.giveUp();
    expect(room.isComplete).toBe(false);
    expect(names(room.take("1", whole(members("a"), { first: true })).came)).toEqual(["a"]);
    expect(room.isComplete).toBe(true);
    expect(names(room.drop("1").left)).toEqual(["a"]);
    expect(room.take("1", { ...changes(0, [], members("a")), over: true }).left).toEqual([]);
    expect(room.count).toBe(0);
  });

  test("what comes again from before a reset counts less than what is asked for then", () => {
    const room = new PresenceRoom(false, { listed: 0 });
    room.awaited.add("1");
    room.take("1", changes(1, members("a"), members("b")));
    const { came, left } = room.take("1", whole(members("b", "c")));
    expect([names(came), names(left)]).toEqual([["b"], ["a"]]);
  });

  test("what an earlier life has told is not clear when its object has lost it", () => {
    const room = new PresenceRoom(false, { listed: 0 });
    for (const object of ["1", "2", "3"]) room.awaited.add(object);
    expect(room.take("1", whole([], { lost: true })).isUnclear).toBe(true);
    expect(room.take("2", { ...whole([], { lost: true }), over: true }).isUnclear).toBe(true);
    expect(names(room.take("3", whole(members("new"), { first: true })).came)).toEqual(["new"]);
  });
});

test("above a number of names they are counted: of one filter, and of all filters of the object", () => {
  const listing: Listing = { listed: 0 };
  const room = new PresenceRoom(false, listing);
  room.take("1", whole(many(PRESENCE_LISTED_MAX)));
  expect(room.take("2", changes(1, members("x"), [])).came.length).toBe(1);
  expect([room.count, names(room.members()).length, room.isComplete]).toEqual([PRESENCE_LISTED_MAX + 1, PRESENCE_LISTED_MAX, false]);
  // Who is not listed is told to have gone all the same.
  expect(names(room.take("2", changes(0, [], members("x"))).left)).toEqual(["x"]);
  expect(room.isComplete).toBe(true);
  const rooms = Array.from({ length: PRESENCE_LISTED_OF_OBJECT_MAX / PRESENCE_LISTED_MAX }, (_, index) => {
    const other = new PresenceRoom(false, listing);
    other.take("1", whole(many(PRESENCE_LISTED_MAX, `${index}-`)));
    return other;
  });
  expect([listing.listed, rooms.at(-1)!.count, names(rooms.at(-1)!.members())]).toEqual([PRESENCE_LISTED_OF_OBJECT_MAX, 1000, []]);
  for (const each of [room, ...rooms]) each.end();
  expect(listing.listed).toBe(0);
});
