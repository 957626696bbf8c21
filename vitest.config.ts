import { availableParallelism } from "node:os";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";
import { SETTINGS } from "./src/settings.ts";

/** Tests of what depends on how the broker is spread over objects: they run once for each of its shapes. */
const SHAPED = ["test/objects/{eviction,hibernation,abort,budgets,service,v5-state}.test.ts"];

/** All settings as they are by default: otherwise the plugin takes those of a `.dev.vars` on this machine. */
const DEFAULTS = Object.fromEntries(SETTINGS.map(({ name, default: value }) => [name, value]));

/**
 * Tests of code without state of its own: they share their modules, and need no process for each file, whose start takes longer than most of them.
 * What they import must not have hooks of vitest.
 */
const PURE = [
  "test/{handshake,hooks,mqtt,routing,session,storage,topic}/**/*.test.ts",
  "test/{pattern,rate}.test.ts",
  "test/simulation/{consumers,events,fair,hosts,presence,rates,receipts,shares,slices,slow}.test.ts",
];

/** Tests that judge how long others wait: they run when all others are through, one file at a time. */
const ALONE = ["test/bench/attack.test.ts"];

/**
 * Much of what tests do is to wait for processes and sockets, so that on two cores two files at a time take little more than half as long
 * as one at a time, which is what vitest itself would choose there. What a test judges must therefore not be what the clock says when others
 * work beside it: it is order, processor time, or a bound that only a fault goes beyond.
 */
const WORKERS = Math.max(2, availableParallelism() - 1);

// Miniflare gives each certificate of this file to each runtime, one by one: half a second for every broker of a machine that has it set.
delete process.env.NODE_EXTRA_CA_CERTS;

/** In Node, real sockets included. */
const NODE = { globalSetup: ["test/support/build-page.ts"], testTimeout: 30_000, hookTimeout: 30_000 };

/** A project inside the Workers runtime itself, with some settings of wrangler.toml replaced. */
function workerd(name: string, include: string[], settings: Record<string, string>): TestProjectInlineConfiguration {
  return {
    plugins: [
      cloudflareTest({
        wrangler: { configPath: "./wrangler.toml" },
        miniflare: {
          bindings: { ...DEFAULTS, ALLOW_ANONYMOUS: "true", PRESENCE: "true", ...settings },
          // vitest itself asks for this module; without it each file begins with a warning.
          compatibilityFlags: ["enable_nodejs_inspector_module"],
        },
      }),
    ],
    test: { name, include, globalSetup: ["test/support/build-page.ts"], testTimeout: 30_000, hookTimeout: 30_000 },
  };
}

/** Projects: `node` (everything, real sockets included), `pure`, `alone`, and `workerd...` (test/objects), one for each shape of the broker. */
export default defineConfig({
  test: {
    maxWorkers: WORKERS,
    projects: [
      { test: { ...NODE, name: "node", include: ["test/**/*.test.ts"], exclude: ["test/objects/**", ...PURE, ...ALONE] } },
      { test: { ...NODE, name: "pure", include: PURE, isolate: false } },
      { test: { ...NODE, name: "alone", include: ALONE, maxWorkers: 1, sequence: { groupOrder: 1 } } },
      workerd("workerd", ["test/objects/**/*.test.ts"], { TOPOLOGY: "sharded", SESSION_SHARDS: "4", TOPIC_SHARDS: "4" }),
      workerd("workerd-compact", SHAPED, { TOPOLOGY: "compact" }),
      workerd("workerd-object-per-client", SHAPED, { TOPOLOGY: "sharded", SESSION_SHARDS: "0", TOPIC_SHARDS: "2" }),
    ],
  },
});
