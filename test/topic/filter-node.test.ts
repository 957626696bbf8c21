import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRoot, type FilterNode, plant, prune } from "../../src/topic/filter-node.ts";
import { deepFilters, filters } from "./arbitraries.ts";

type Node = FilterNode<{ readonly filter: string }>;

function plantAll(...all: string[]): Node {
  const root: Node = createRoot();
  for (const filter of all) plant(root, { filter });
  return root;
}

/** Filters that are planted one after the other, and those of them that are then taken out, in another order. */
const plantings = fc
  .uniqueArray(fc.oneof(filters, deepFilters), { maxLength: 40 })
  .chain((planted) => fc.record({ planted: fc.constant(planted), pruned: fc.shuffledSubarray(planted) }));

function grown({ planted, pruned }: { planted: string[]; pruned: string[] }): { root: Node; left: string[] } {
  const root = plantAll(...planted);
  for (const filter of pruned) prune(root, filter);
  return { root, left: planted.filter((filter) => !pruned.includes(filter)) };
}

function childrenOf({ children, plus }: Node): Node[] {
  return [...(children?.values() ?? []), ...(plus === undefined ? [] : [plus])];
}

function nodesBelow(node: Node): Node[] {
  return childrenOf(node).flatMap((child) => [child, ...nodesBelow(child)]);
}

/** A node and all below it as plain data, each with its levels, so that trees which came about differently can be compared. */
interface Shape {
  readonly levels: string;
  readonly ends: readonly (string | undefined)[];
  readonly below: readonly Shape[];
}

function shapeOf(node: Node, start = 0): Shape {
  return {
    levels: node.text.slice(start, Math.max(0, node.end)),
    ends: [node.here?.filter, node.rest?.filter],
    below: childrenOf(node)
      .map((child) => shapeOf(child, node.end + 1))
      .sort((one, other) => (one.levels < other.levels ? -1 : 1)),
  };
}

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

describe("plant and prune", () => {
  it("leave the same nodes as if only what is left had been planted", () => {
    fc.assert(
      fc.property(plantings, (planting) => {
        const { root, left } = grown(planting);
        expect(shapeOf(root)).toEqual(shapeOf(plantAll(...left)));
      }),
      { numRuns: 500 },
    );
  });

  it("make at most two nodes for each filter, and none that is only on the way to one other", () => {
    fc.assert(
      fc.property(plantings, (planting) => {
        const { root, left } = grown(planting);
        const nodes = nodesBelow(root);
        expect(nodes.length).toBeLessThanOrEqual(2 * left.length);
        for (const node of nodes) {
          const isEnd = node.here !== undefined || node.rest !== undefined;
          expect(isEnd || childrenOf(node).length > 1).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("keep no text of a filter that is gone", () => {
    fc.assert(
      fc.property(plantings, (planting) => {
        const { root, left } = grown(planting);
        for (const { text } of nodesBelow(root)) expect(left).toContain(text);
      }),
      { numRuns: 500 },
    );
  });

  it("leave nothing when everything is taken out", () => {
    fc.assert(
      fc.property(plantings, ({ planted, pruned }) => {
        const rest = planted.filter((filter) => !pruned.includes(filter));
        expect(grown({ planted, pruned: [...pruned, ...rest] }).root).toEqual(createRoot());
      }),
    );
  });

  it("give 128 levels one node, and a second where another filter leaves them", () => {
    const deep = (first: string): string => `${first}${"/x".repeat(126)}/+`;
    expect(nodesBelow(plantAll(deep("1"), deep("2")))).toHaveLength(2);
    expect(nodesBelow(plantAll(deep("1"), "1/x/x/+"))).toHaveLength(3);
  });

  it("keep nothing of a long filter in memory that has gone while short ones stay beside it", () => {
    const FILTER_COUNT = 200;
    const LONG = 60_000;
    const root: Node = createRoot();
    const before = heapBytes();
    for (let number = 0; number < FILTER_COUNT; number++) {
      // Levels that are long enough for a slice to refer to the text that it was cut from.
      const common = `${number}-of-many-levels/and-one-more-level`;
      const long = `${common}/with-a-level-of-its-own/${"y".repeat(LONG)}/+`;
      const short = [
        `${common}/another-level/+`,
        `${common}/+`,
        `${common}/with-a-level-of-its-own/another-level/+`,
        `${number}-of-many-levels/+`,
      ];
      // It comes before, between or after the short ones.
      const all = short.toSpliced(number % (short.length + 1), 0, long);
      for (const filter of all) plant(root, { filter });
      prune(root, long);
    }
    expect(heapBytes() - before).toBeLessThan((FILTER_COUNT * LONG) / 20);
    expect(nodesBelow(root).length).toBeGreaterThan(FILTER_COUNT);
  });
});
