import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { matches } from "../../src/topic/filter.ts";
import { FilterTree } from "../../src/topic/filter-tree.ts";
import { deepFilters, deepTopics, filters, topics } from "./arbitraries.ts";

type Pair = [filter: string, key: string, value: number];

function treeOf(...pairs: Pair[]): FilterTree<number> {
  const tree = new FilterTree<number>();
  for (const [filter, key, value] of pairs) tree.add(filter, key, value);
  return tree;
}

function found(tree: FilterTree<number>, topic: string): Pair[] {
  const pairs: Pair[] = [];
  tree.match(topic, (value, key, filter) => pairs.push([filter, key, value]));
  return pairs.sort();
}

const filtersFound = (tree: FilterTree<number>, topic: string): string[] =>
  found(tree, topic)
    .map(([filter]) => filter)
    .sort();

const treeOfFilters = (...all: string[]): FilterTree<number> => treeOf(...all.map((filter): Pair => [filter, "client", 1]));

/** The same contents as a list that is searched from end to end. */
class FilterList {
  readonly pairs = new Map<string, Pair>();

  add(filter: string, key: string, value: number): number | undefined {
    const previous = this.pairs.get(`${filter}\0${key}`)?.[2];
    this.pairs.set(`${filter}\0${key}`, [filter, key, value]);
    return previous;
  }

  remove(filter: string, key: string): boolean {
    return this.pairs.delete(`${filter}\0${key}`);
  }

  found(topic: string): Pair[] {
    return [...this.pairs.values()].filter(([filter]) => matches(filter, topic)).sort();
  }
}

const keys = fc.constantFrom("k1", "k2", "k3");
type Operation = { kind: "add" | "remove"; filter: string; key: string; value: number };
const operationsOn = (filter: fc.Arbitrary<string>): fc.Arbitrary<Operation[]> =>
  fc.array(
    fc.record({
      kind: fc.constantFrom<Operation["kind"][]>("add", "add", "remove"),
      filter,
      key: keys,
      value: fc.integer({ min: 0, max: 9 }),
    }),
    { maxLength: 40 },
  );
const operations = operationsOn(filters);

function apply(list: readonly Operation[]): { tree: FilterTree<number>; brute: FilterList } {
  const tree = new FilterTree<number>();
  const brute = new FilterList();
  // Removing what was drawn by itself would hardly ever hit: each removal also takes the oldest pair.
  for (const { kind, filter, key, value } of list) {
    if (kind === "add") {
      expect(tree.add(filter, key, value)).toBe(brute.add(filter, key, value));
      continue;
    }
    expect(tree.remove(filter, key)).toBe(brute.remove(filter, key));
    for (const [oldFilter, oldKey] of [...brute.pairs.values()].slice(0, 1)) {
      expect(tree.remove(oldFilter, oldKey)).toBe(brute.remove(oldFilter, oldKey));
    }
  }
  return { tree, brute };
}

describe("FilterTree", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it("finds exactly what comparing every filter finds, after any additions and removals", () => {
    fc.assert(
      fc.property(operations, fc.array(topics, { minLength: 1, maxLength: 10 }), (list, drawn) => {
        const { tree, brute } = apply(list);
        // A filter without wildcards is also a topic: without these few topics would match such filters.
        const exact = [...brute.pairs.values()].map(([filter]) => filter.replaceAll(/[+#]/g, "a"));
        for (const topic of [...drawn, ...exact]) expect(found(tree, topic)).toEqual(brute.found(topic));
      }),
      { numRuns: 500 },
    );
  });

  it("finds exactly what comparing finds with filters of very many levels too", () => {
    fc.assert(
      fc.property(operationsOn(deepFilters), fc.array(deepTopics, { minLength: 1, maxLength: 5 }), (list, drawn) => {
        const { tree, brute } = apply(list);
        const exact = [...brute.pairs.values()].map(([filter]) => filter.replaceAll(/[+#]/g, "a"));
        for (const topic of [...drawn, ...exact]) expect(found(tree, topic)).toEqual(brute.found(topic));
      }),
      { numRuns: 300 },
    );
  });

  it("counts and lists what it holds", () => {
    fc.assert(
      fc.property(operations, (list) => {
        const { tree, brute } = apply(list);
        const pairs = [...brute.pairs.values()];
        const different = new Set(pairs.map(([filter]) => filter));
        expect(tree.size).toBe(pairs.length);
        expect(tree.filterCount).toBe(different.size);
        expect(new Set(tree.filters())).toEqual(different);
        expect([...tree].sort()).toEqual(pairs.sort());
        for (const { filter, key } of list) {
          const ofFilter = pairs.filter((pair) => pair[0] === filter);
          expect(tree.get(filter, key)).toBe(ofFilter.find((pair) => pair[1] === key)?.[2]);
          expect(tree.hasFilter(filter)).toBe(ofFilter.length > 0);
          const expected = ofFilter.length > 0 ? new Map(ofFilter.map((pair) => [pair[1], pair[2]])) : undefined;
          expect(tree.keysOf(filter)).toEqual(expected);
        }
      }),
    );
  });

  it("is empty when everything has been removed", () => {
    fc.assert(
      fc.property(operations, topics, (list, topic) => {
        const { tree } = apply(list);
        for (const [filter, key] of [...tree]) expect(tree.remove(filter, key)).toBe(true);
        expect([tree.size, tree.filterCount, [...tree], found(tree, topic)]).toEqual([0, 0, [], []]);
      }),
    );
  });

  it("keeps the branches of other filters when one is removed", () => {
    const tree = treeOfFilters("a/+", "a/+/b", "a/+/#", "a/#", "+/b");
    for (const filter of ["a/+/b", "a/#", "a/+/#", "+/b"]) {
      expect(tree.remove(filter, "client")).toBe(true);
      expect(filtersFound(tree, "a/b")).toContain("a/+");
      expect(filtersFound(tree, "a/b")).not.toContain(filter);
    }
    expect(filtersFound(tree, "a/b")).toEqual(["a/+"]);
  });

  it("replaces the value of the same filter and key, and keeps other keys apart", () => {
    const tree = treeOf(["a/+", "one", 1], ["a/+", "two", 2]);
    expect(tree.add("a/+", "one", 3)).toBe(1);
    expect(found(tree, "a/b")).toEqual([
      ["a/+", "one", 3],
      ["a/+", "two", 2],
    ]);
    expect(tree.size).toBe(2);
  });

  it("visits a key once for each of its matching filters", () => {
    expect(filtersFound(treeOfFilters("a/b", "a/+", "+/b", "a/#", "#", "+/+/#"), "a/b")).toEqual([
      "#",
      "+/+/#",
      "+/b",
      "a/#",
      "a/+",
      "a/b",
    ]);
  });

  it("[MQTT5-4.7.2-1] [MQTT311-4.7.2-1] [5.0/4.7.2/explicit] finds filters that name $ and none that begin with a wildcard", () => {
    const tree = treeOfFilters("#", "+/#", "+", "+/a", "$SYS/#", "$SYS/+", "$SYS/a", "$SYS", "$SYS/+/#");
    expect(filtersFound(tree, "$SYS/a")).toEqual(["$SYS/#", "$SYS/+", "$SYS/+/#", "$SYS/a"]);
    expect(filtersFound(tree, "$SYS")).toEqual(["$SYS", "$SYS/#"]);
    expect(filtersFound(tree, "$other/a")).toEqual([]);
  });

  it("[5.0/4.7.1/parent] [5.0/4.7.1/plus-empty] [5.0/4.7.3/slashes] [3.1.1/4.7/matching] takes empty levels for levels", () => {
    const tree = treeOfFilters("a/#", "a/+", "a/+/#", "+", "+/+", "/+", "/#", "a//", "/");
    expect(filtersFound(tree, "a")).toEqual(["+", "a/#"]);
    expect(filtersFound(tree, "a/")).toEqual(["+/+", "a/#", "a/+", "a/+/#"]);
    expect(filtersFound(tree, "a//")).toEqual(["a/#", "a/+/#", "a//"]);
    expect(filtersFound(tree, "/")).toEqual(["+/+", "/", "/#", "/+"]);
  });

  it("lets the visitor remove what it visits and what it has not yet visited", () => {
    const all = ["a/b", "a/+", "+/b", "a/#", "#"];
    for (const keep of all) {
      const tree = treeOfFilters(...all);
      const visited: string[] = [];
      tree.match("a/b", (_value, _key, filter) => {
        visited.push(filter);
        for (const other of all) if (other !== keep) tree.remove(other, "client");
      });
      expect(visited).toContain(keep);
      expect(visited.length).toBeLessThanOrEqual(2);
      expect(filtersFound(tree, "a/b")).toEqual([keep]);
    }
  });

  it("lets the visitor remove anything, which is then not visited any more", () => {
    const removals = fc.array(fc.record({ after: fc.nat(10), filter: filters }), { maxLength: 10 });
    fc.assert(
      fc.property(fc.array(filters, { minLength: 1, maxLength: 30 }), removals, topics, (all, drawn, topic) => {
        const tree = treeOfFilters(...all);
        const removed = new Set<string>();
        const visited: string[] = [];
        // What was drawn by itself would hardly ever hit: a filter that was added goes with each.
        const remove = (filter: string): void => {
          tree.remove(filter, "client");
          removed.add(filter);
        };
        tree.match(topic, (_value, _key, filter) => {
          expect(removed).not.toContain(filter);
          visited.push(filter);
          for (const { after, filter: other } of drawn) {
            if (after !== visited.length - 1) continue;
            remove(other);
            remove(all[other.length % all.length]);
          }
        });
        const expected = [...new Set(all)].filter((filter) => matches(filter, topic) && (visited.includes(filter) || !removed.has(filter)));
        expect(visited.sort()).toEqual(expected.sort());
      }),
      { numRuns: 500 },
    );
  });

  it("matches topics of very many levels", () => {
    const deep = Array.from({ length: 30_000 }, () => "a").join("/");
    const tree = treeOfFilters(`${deep}/#`, "a/+/#", deep.replaceAll("a", "+"));
    expect(found(tree, deep)).toHaveLength(3);
  });

  it("looks at as many nodes among 100,000 filters as among 1,000", () => {
    const stepsAmong = (deviceCount: number): number => {
      const tree = new FilterTree<number>();
      for (let device = 0; device < deviceCount; device++) {
        const site = device % 50;
        tree.add(`site/${site}/device/${device}/temperature`, "exact", device);
        tree.add(`site/${site}/device/${device}/+`, "plus", device);
        tree.add(`site/+/device/${device}/#`, "middle", device);
        tree.add(`+/${site}/device/${device}/#`, "first", device);
      }
      const lookUps = vi.spyOn(Map.prototype, "get");
      const levelsCut = vi.spyOn(String.prototype, "slice");
      tree.match("site/7/device/57/temperature", () => {});
      const steps = lookUps.mock.calls.length + levelsCut.mock.calls.length;
      vi.restoreAllMocks();
      return steps;
    };
    const few = stepsAmong(250);
    expect(few).toBeGreaterThan(5);
    expect(few).toBeLessThan(50);
    expect(stepsAmong(25_000)).toBe(few);
  });
});
