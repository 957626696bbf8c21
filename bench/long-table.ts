/** What `npm run bench:long` found, as a table. */

import type { Results } from "./results.ts";
import { number, table } from "./tables.ts";

export function longTable(results: Results): string {
  const contenders = [...new Set(results.long.map(({ contender }) => contender))];
  const steps = [...new Map(results.long.map(({ what, at }) => [`${what}\n${at}`, { what, at }])).values()];
  const rows = steps.map(({ what, at }) => {
    const cells = contenders.map((contender) => {
      const found = results.long.find((row) => row.contender === contender && row.what === what && row.at === at);
      if (found === undefined) return "-";
      const first = results.long.find((row) => row.contender === contender && row.what === what)!;
      const share = `${((found.perSecond / first.perSecond) * 100).toFixed(0)} %`;
      return `${number(found.perSecond)} (${share}), ${number((found.memoryBytes ?? 0) / 2 ** 20)} MiB`;
    });
    return [what, at, ...cells];
  });
  return table(["10 pairs, QoS 0, while", "", ...contenders.map((name) => `${name}: per second, memory`)], rows);
}
