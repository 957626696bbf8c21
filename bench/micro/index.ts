/** All micro-benchmarks, one after the other. */

import type { MicroRow } from "../results.ts";
import { number, table } from "../tables.ts";
import { measureCodec } from "./codec.ts";
import { measureOutbox } from "./outbox.ts";
import { measureStore } from "./store.ts";
import { measureTopics } from "./topics.ts";

export async function runMicro(quick: boolean): Promise<MicroRow[]> {
  const rows = [
    ...measureCodec(quick ? 1 : undefined),
    ...measureTopics(),
    ...measureOutbox(),
    ...(await measureStore(quick ? 5 : undefined)),
  ];
  console.log(`\n${microTable(rows)}`);
  return rows;
}

export function microTable(rows: readonly MicroRow[]): string {
  return table(
    ["what", "median", "beside it"],
    rows.map(({ what, value, unit, other }) => [what, `${number(value)} ${unit}`, other]),
  );
}
