/** The bill as tables. */

import { awsPriceOfMillion, BILL_CASES, emqxPriceOfMillion, freeMessagesADay, priceOfMillion, unitsOf } from "./bill.ts";
import type { BillRow, Results } from "./results.ts";
import { dollars, number, table } from "./tables.ts";

const TOPOLOGIES: Readonly<Record<string, string>> = { compact: "compact", handed: "handed over", relayed: "relayed" };

function rowOf(results: Results, scenario: string, contender: string): BillRow | undefined {
  return results.bill.find((row) => row.scenario === scenario && row.contender === contender);
}

/** What was counted, for a million messages. */
export function billUnits(results: Results): string {
  const rows = BILL_CASES.flatMap(({ key, title }) =>
    Object.entries(TOPOLOGIES).flatMap(([contender, name]) => {
      const row = rowOf(results, key, contender);
      if (row === undefined) return [];
      const million = (count: number): string => number((count / row.messages) * 1e6);
      const { gigabyteSeconds } = unitsOf(row);
      return [
        [
          title,
          name,
          million(row.calls),
          million(row.socketMessages),
          million(row.rowsWritten),
          million(row.rowsRead),
          number(gigabyteSeconds * 1e6),
        ],
      ];
    }),
  );
  return table(["for a million published messages", "topology", "calls", "socket messages", "rows written", "rows read", "GB-s"], rows);
}

/** What that costs, here and elsewhere. */
export function billPrices(results: Results): string {
  const rows = BILL_CASES.flatMap((each) => {
    const cells = Object.keys(TOPOLOGIES).map((contender) => rowOf(results, each.key, contender));
    if (cells.every((row) => row === undefined)) return [];
    const price = (row: BillRow | undefined): string => (row === undefined ? "-" : dollars(priceOfMillion(row)));
    const free = (row: BillRow | undefined): string => (row === undefined ? "-" : number(freeMessagesADay(row)));
    const aws = awsPriceOfMillion(each);
    return [
      [
        each.title,
        ...cells.map(price),
        ...cells.map(free),
        aws === undefined ? "no QoS 2" : dollars(aws),
        dollars(emqxPriceOfMillion(each)),
      ],
    ];
  });
  const topologies = Object.values(TOPOLOGIES);
  return table(
    [
      "",
      ...topologies.map((name) => `${name}, $`),
      ...topologies.map((name) => `${name}, free a day`),
      "AWS IoT Core, $",
      "EMQX Serverless, $",
    ],
    rows,
  );
}
