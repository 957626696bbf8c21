/**
 * How the package is made out of the sources: ES modules and their declarations, a file of each for each of its faces and for what they share.
 * `cloudflare:workers` is the platform's; hono, jose and zod are dependencies that npm installs, miniflare and esbuild the user's own. The
 * Worker of brokers in tests is one module with everything in it, because Miniflare is given it as a text.
 */
import { defineConfig } from "tsdown";
import { CLAUSES } from "./scripts/build/bundle.ts";

const withoutClauses = {
  name: "without clauses",
  transform: {
    filter: { id: /[\\/]src[\\/]mqtt[\\/][^\\/.]+\.ts$/ },
    handler: (code) => ({ code: code.replace(CLAUSES, '""') }),
  },
};

const COMMON = {
  outDir: "dist/package",
  format: "esm",
  platform: "neutral",
  target: "es2024",
  tsconfig: "tsconfig.node.json",
  hash: false,
  report: false,
  logLevel: "warn",
};

export default defineConfig([
  {
    ...COMMON,
    entry: { index: "src/index.ts", client: "src/client/index.ts", testing: "testing/index.ts" },
    dts: true,
    plugins: [withoutClauses],
    outputOptions: { chunkFileNames: "shared/[name].js" },
    deps: { neverBundle: [/^cloudflare:/, /^node:/, "miniflare", "esbuild"] },
  },
  {
    ...COMMON,
    entry: { "hash-password": "scripts/local/hash-password.ts" },
    clean: false,
    dts: false,
    deps: { neverBundle: [/^node:/] },
  },
  {
    ...COMMON,
    entry: { "testing-worker": "testing/worker.ts" },
    clean: false,
    dts: false,
    minify: true,
    deps: { neverBundle: [/^cloudflare:/], alwaysBundle: [/^(?!cloudflare:)/], onlyBundle: false },
    inputOptions: { resolve: { mainFields: ["module", "main"], conditionNames: ["workerd", "worker", "browser", "import", "default"] } },
  },
]);
