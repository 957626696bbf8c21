/**
 * What rows cost in the Workers runtime on this machine. Timed from outside, because a Durable Object's clock stands still while it
 * computes: so the answer to a call that wrote counts until its transaction is on disk.
 */

import { join } from "node:path";
import { build } from "esbuild";
import { Log, LogLevel, Miniflare } from "miniflare";
import { COMPATIBILITY_DATE } from "../../scripts/local/local-broker.ts";
import { type MicroRow, median } from "../results.ts";

const ROUNDS = 100;

interface Store {
  nothing(): Promise<number>;
  put(rows: number, bytes: number): Promise<number>;
  read(): Promise<number>;
}

/** Microseconds, the median. */
async function timed(call: () => Promise<number>, rounds: number): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const start = performance.now();
    await call();
    times.push((performance.now() - start) * 1000);
  }
  return median(times);
}

export async function measureStore(rounds = ROUNDS): Promise<MicroRow[]> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, "store-object.ts")],
    bundle: true,
    write: false,
    format: "esm",
    external: ["cloudflare:*"],
  });
  const miniflare = new Miniflare({
    modules: [{ type: "ESModule", path: "worker.js", contents: outputFiles[0]!.text }],
    compatibilityDate: COMPATIBILITY_DATE,
    durableObjects: { STORES: { className: "StoreObject", useSQLite: true } },
    durableObjectsPersist: false,
    cf: false,
    log: new Log(LogLevel.NONE),
  });
  try {
    const namespace = await miniflare.getDurableObjectNamespace("STORES");
    const store = namespace.get(namespace.idFromName("store")) as unknown as Store;
    await timed(() => store.put(10, 200), rounds);
    const call = await timed(() => store.nothing(), rounds);
    const cases = [
      ["write 1 row of 200 bytes and commit", () => store.put(1, 200), 1],
      ["write 100 rows of 200 bytes and commit", () => store.put(100, 200), 100],
      ["write 1 row of 16 KiB and commit", () => store.put(1, 16_384), 1],
      ["read 1,000 rows", () => store.read(), 1000],
    ] as const;
    const rows: MicroRow[] = [];
    for (const [what, run, count] of cases) {
      const value = await timed(run, rounds);
      const each = count === 1 ? "" : `; ${(value / count).toFixed(1)} µs a row`;
      rows.push({ what: `${what}, call included`, value, unit: "µs", other: `a call that does nothing ${call.toFixed(0)} µs${each}` });
    }
    return rows;
  } finally {
    await miniflare.dispose();
  }
}
