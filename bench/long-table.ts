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
      return [
        `${number(found.perSecond)} (${percent(found.perSecond, first.perSecond)})`,
        `${number(found.cpuOfMillion)} s (${percent(found.cpuOfMillion, first.cpuOfMillion)})`,
        `${number((found.memoryBytes ?? 0) / 2 ** 20)} MiB`,
      ].join(", ");
    });
    return [what, at, ...cells];
  });
  return table(["10 pairs, QoS 0, while", "", ...contenders.map((name) => `${name}: per second, processor per million, memory`)], rows);
}

function percent(value: number | undefined, of: number | undefined): string {
  return value === undefined || of === undefined ? "-" : `${((value / of) * 100).toFixed(0)} %`;
}
