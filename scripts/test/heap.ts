/**
 * `npm run heap`: an object that holds as much as one is meant to hold is filled, started anew and used, and its time and memory are
 * printed. See test/simulation/full-object.ts for how.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Fill, fillObject, measure, ObjectDatabase } from "../../test/simulation/full-object.ts";

const { values } = parseArgs({ options: { tenths: { type: "string", default: "10" } } });
const share = Number(values.tenths) / 10;
const FILL: Fill = { sessions: 10_000 * share, messages: 100, subscriptions: 10, retained: 1_000_000 * share };
const NOW = 1_800_000_000_000;

const folder = mkdtempSync(join(tmpdir(), "heap-"));
const database = new ObjectDatabase(join(folder, "object.sqlite"));
try {
  console.log(`filling: ${FILL.sessions} sessions with ${FILL.messages} messages each, ${FILL.retained} retained messages`);
  const startedAt = performance.now();
  fillObject(database, FILL, NOW);
  console.log(`filled in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
  const measured = await measure(database, FILL, NOW + 1_000_000);
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  const ms = (time: number): string => `${time.toFixed(0)} ms of CPU`;
  console.log(`start            ${ms(measured.startMs)}, ${measured.rowsRead} rows read`);
  console.log(`held after it    ${mb(measured.startBytes)}`);
  for (const [kind, bytes] of Object.entries(measured.ledgerBytes)) if (bytes > 0) console.log(`  ledger ${kind.padEnd(14)} ${mb(bytes)}`);
  console.log(`resumed          ${measured.resumed} clients, each with ${FILL.messages} messages: ${ms(measured.resumeMs)}`);
  console.log(`published        ${measured.published} messages for clients that are away: ${ms(measured.publishMs)}`);
  console.log(`retained         ${measured.scanned} for a subscription with wildcards: ${ms(measured.scanMs)}`);
  console.log(`held after that  ${mb(measured.servingBytes)}`);
} finally {
  database.close();
  rmSync(folder, { recursive: true, force: true });
}
