/** A tenth of what `npm run heap` fills an object with: that it starts soon, holds little and serves. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fillObject, measure, ObjectDatabase } from "./full-object.ts";

const NOW = 1_800_000_000_000;

test("an object with 100,000 messages that wait starts without reading them, holds few bytes of each, and serves", {
  timeout: 300_000,
}, async () => {
  const fill = { sessions: 1000, messages: 100, subscriptions: 10, retained: 20_000 };
  const folder = mkdtempSync(join(tmpdir(), "full-object-"));
  const database = new ObjectDatabase(join(folder, "object.sqlite"));
  try {
    fillObject(database, fill, NOW);
    const measured = await measure(database, fill, NOW + 1_000_000);
    // Sessions, subscriptions, heads of the log and its newest chunk; no retained message.
    expect(measured.rowsRead).toBeLessThan(fill.sessions * (1 + fill.subscriptions) + 2500);
    expect(measured.ledgerBytes.messages).toBeLessThan(fill.sessions * (100 * 24 + 400));
    expect(measured.startBytes).toBeLessThan(12e6);
    // Some 12.5 MB, with what V8 has compiled meanwhile, which differs from run to run.
    expect(measured.servingBytes).toBeLessThan(13e6);
    expect(measured.startMs).toBeLessThan(2000);
    expect(measured.scanned).toBe(fill.retained / 100);
  } finally {
    database.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
