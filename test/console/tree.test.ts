/** The tree of topics, as the console keeps it: what is shown where, what is counted, and that it is bounded. */

import { describe, expect, it } from "vitest";
import { Held } from "../../src/console/topics/held.ts";
import { Histories } from "../../src/console/topics/histories.ts";
import { TopicTree } from "../../src/console/topics/tree.ts";
import { BYTES_MAX, type Came, TOPIC_CHARACTERS_MAX } from "../../src/console/topics/value.ts";

const came = (topic: string, more: Partial<Came> = {}): Came => {
  const payload = more.payload ?? new TextEncoder().encode(topic);
  return { topic, payload, size: payload.length, qos: 0, retain: false, time: 0, properties: {}, ...more };
};

const treeOf = (...topics: string[]): TopicTree => {
  const tree = new TopicTree();
  for (const topic of topics) tree.put(came(topic));
  return tree;
};

const shown = (tree: TopicTree): string[] => tree.rows().map(({ topic }) => topic);

describe("rows", () => {
  it("are in the order in which people look for names, with numbers as they count", () => {
    const tree = treeOf("b", "a10", "10", "9", "2", "a2", "", "Z");
    expect(shown(tree)).toEqual(["2", "9", "10", "", "Z", "a10", "a2", "b"]);
    tree.put(came("3"));
    tree.put(came("aa"));
    expect(shown(tree)).toEqual(["2", "3", "9", "10", "", "Z", "a10", "a2", "aa", "b"]);
  });

  it("are those of open levels; empty levels are levels, too", () => {
    const tree = treeOf("a/b/c", "a/b/d", "/x", "a//y");
    expect(shown(tree)).toEqual(["", "a"]);
    tree.toggle(tree.find("a")!);
    expect(shown(tree)).toEqual(["", "a", "a/", "a/b"]);
    tree.toggleBelow(tree.root, true);
    expect(shown(tree)).toEqual(["", "/x", "a", "a/", "a//y", "a/b", "a/b/c", "a/b/d"]);
    tree.toggleBelow(tree.root, false);
    tree.reveal(tree.find("a/b/d")!);
    expect(shown(tree)).toEqual(["", "a", "a/", "a/b", "a/b/c", "a/b/d"]);
  });

  it("are asked for again when, and only when, they are others", () => {
    const tree = treeOf("a/b");
    const first = tree.shape;
    tree.put(came("a/b"));
    tree.put(came("a/c"));
    expect(tree.shape).toBe(first);
    tree.put(came("d"));
    expect(tree.shape).toBeGreaterThan(first);
    tree.toggle(tree.find("a")!);
    const open = tree.shape;
    tree.put(came("a/e"));
    expect(tree.shape).toBeGreaterThan(open);
    expect(shown(tree)).toEqual(["a", "a/b", "a/c", "a/e", "d"]);
  });

  it("are what is searched for, and the levels above, whether they came before or after", () => {
    const tree = treeOf("home/kitchen/lamp", "home/cellar/door", "a.b");
    tree.search("LAMP");
    expect([shown(tree), tree.finds]).toEqual([["home", "home/kitchen", "home/kitchen/lamp"], 1]);
    tree.put(came("shed/lamp"));
    tree.put(came("shed/door"));
    expect([shown(tree), tree.finds]).toEqual([["home", "home/kitchen", "home/kitchen/lamp", "shed", "shed/lamp"], 2]);
    tree.search(".");
    expect(shown(tree)).toEqual(["a.b"]);
    tree.search("");
    expect([shown(tree), tree.finds]).toEqual([["a.b", "home", "shed"], undefined]);
  });
});

describe("counts", () => {
  it("are of each topic, and of all below it", () => {
    const tree = treeOf("a/b", "a/b", "a/b/c", "a");
    const { count, total, topicsBelow } = tree.find("a")!;
    expect([count, total, topicsBelow]).toEqual([1, 4, 2]);
    expect([tree.find("a/b")!.count, tree.find("a/b")!.total, tree.topics, tree.messages]).toEqual([2, 3, 3, 4]);
  });

  it("say how many come in a second: near the truth soon, and nothing after a while", () => {
    const tree = new TopicTree();
    for (let time = 0; time < 30_000; time += 10) tree.put(came("a/b", { time }));
    expect(tree.find("a")!.rate(30_000)).toBeCloseTo(100, -1);
    expect(tree.root.rate(90_000)).toBeLessThan(0.01);
  });

  it("know what the broker keeps: the last retained message, until an empty one", () => {
    const tree = new TopicTree();
    tree.put(came("a", { retain: true }));
    tree.put(came("a"));
    expect(tree.find("a")!.isRetained).toBe(true);
    tree.put(came("a", { retain: true, payload: new Uint8Array() }));
    expect(tree.find("a")!.isRetained).toBe(false);
  });
});

describe("what it holds", () => {
  it("is two values of a topic, and no more bytes than it may; what is watched is kept", () => {
    const tree = new TopicTree((topic) => topic === "watched");
    const large = new Uint8Array(20 * 1024 * 1024);
    for (const topic of ["a", "b", "c"]) tree.put(came(topic, { payload: large }));
    tree.put(came("d", { payload: large }));
    tree.put(came("watched", { payload: large }));
    expect(["a", "b", "c", "d", "watched"].map((topic) => tree.find(topic)!.value!.payload?.length)).toEqual([
      large.length,
      large.length,
      large.length,
      undefined,
      large.length,
    ]);
    expect(tree.find("d")!.value!.size).toBe(large.length);
    for (let time = 0; time < 4; time += 1) tree.put(came("a", { payload: new Uint8Array(time) }));
    expect([tree.find("a")!.previous!.size, tree.find("a")!.value!.size]).toEqual([2, 3]);
    expect(tree.bytes).toBe(3 * large.length + 5);
  });

  it("is so many topics; of others it tells that there are messages", () => {
    const tree = new TopicTree();
    for (let index = 0; index < 250_010; index += 1) tree.put(came(`t/${index}`, { payload: new Uint8Array() }));
    // One level above them is one of them.
    expect([tree.topics, tree.leftOut, tree.messages]).toEqual([249_999, 11, 250_010]);
  });

  it("is no more properties than it may be either: they go before payloads do", () => {
    const tree = new TopicTree();
    const pairs = (count: number) => ({ userProperties: Array.from({ length: count }, () => ["", ""] as const) });
    for (let index = 0; index < 20; index += 1) tree.put(came(`t/${index}`, { properties: pairs(100_000) }));
    expect(tree.bytes).toBeLessThanOrEqual(BYTES_MAX);
    const values = tree.find("t")!.children.map(({ value }) => value!);
    expect(values.every(({ payload }) => payload !== undefined)).toBe(true);
    expect(values.filter(({ isStripped }) => isStripped === true)).toHaveLength(10);
    const before = tree.bytes;
    for (let count = 0; count < 2; count += 1) tree.put(came("t/0"));
    expect(tree.bytes).toBe(before - 100_000 * 64 + 3);

    const histories = new Histories();
    histories.begin("a", []);
    for (let count = 0; count < 10; count += 1) histories.came("a", came("a", { properties: pairs(10_000) }));
    expect(histories.values("a")).toHaveLength(3);
  });

  it("is so many characters of topics, too", () => {
    const tree = new TopicTree();
    const size = 65_000;
    const most = Math.ceil(TOPIC_CHARACTERS_MAX / size);
    for (let index = 0; index < most + 5; index += 1) tree.put(came(String(index).padEnd(size), { payload: new Uint8Array() }));
    expect([tree.topics, tree.leftOut]).toEqual([most, 5]);
  });
});

describe("what is held while nothing moves", () => {
  it("is the last message of each topic, with how many came", () => {
    const held = new Held();
    for (const text of ["1", "2"]) held.put(came("a", { payload: new TextEncoder().encode(text) }), 2);
    held.put(came("b"), 1);
    expect([...held.all()].map(({ came: { topic, size }, messages }) => [topic, size, messages])).toEqual([
      ["a", 1, 4],
      ["b", 1, 1],
    ]);
    expect([held.messages, held.leftOut]).toEqual([5, 0]);
  });

  it("is no more topics and bytes than the tree holds, and the rest is counted", () => {
    const held = new Held();
    for (let index = 0; index < 250_003; index += 1) held.put(came(`t/${index}`, { payload: new Uint8Array() }), 2);
    expect([held.messages, held.leftOut]).toEqual([500_006, 6]);

    const large = new Uint8Array(20 * 1024 * 1024);
    const full = new Held();
    for (const topic of ["a", "b", "c", "d", "a"]) full.put(came(topic, { payload: large }), 1);
    const kept = () => [...full.all()].map(({ came: { payload, size } }) => [payload?.length, size]);
    expect(kept()).toEqual([...[1, 2, 3].map(() => [large.length, large.length]), [undefined, large.length]]);
    full.put(came("a", { payload: new Uint8Array(40 * 1024 * 1024) }), 1);
    full.put(came("d", { payload: large }), 1);
    expect(kept().map(([length]) => length)).toEqual([undefined, large.length, large.length, large.length]);
    const tree = new TopicTree();
    for (const { came: last, messages } of full.all()) tree.put(last, messages);
    tree.leave(held.leftOut);
    expect([tree.find("a")!.value!.payload, tree.find("a")!.count, tree.leftOut, tree.messages]).toEqual([undefined, 3, 6, 13]);
  });
});
