/**
 * How the package is made out of the sources: ES modules and their declarations, a file of each for each of its faces and for what they share;
 * and the command. `cloudflare:workers` is the platform's; jose and zod are dependencies that npm installs, miniflare and esbuild the
 * user's own. What the command alone needs is inside it: whoever imports the broker does not install that. Workers for Miniflare have everything in
 * them, because Miniflare is given them as texts.
 */
import { cpSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "tsdown";
import { buildPage, CLAUSES, PAGE_FOLDER } from "./scripts/build/bundle.ts";

const ROOT = dirname(fileURLToPath(import.meta.url));

const withoutClauses = {
  name: "without clauses",
  transform: {
    filter: { id: /[\\/]src[\\/]mqtt[\\/][^\\/.]+\.ts$/ },
    handler: (code) => ({ code: code.replace(CLAUSES, '""') }),
  },
};

/** The command finds built what it would build here. */
const withWhatIsBuilt = {
  name: "with what is built",
  resolveId: {
    filter: { id: /[\\/]build[\\/]bundle\.ts$/ },
    handler: () => join(ROOT, "scripts/build/built.ts"),
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

/** Workers for Miniflare, and beside them what they share. */
const WORKERS = {
  ...COMMON,
  clean: false,
  dts: false,
  minify: true,
  outputOptions: { chunkFileNames: "worker-[name].js" },
  deps: { neverBundle: [/^cloudflare:/], alwaysBundle: [/^(?!cloudflare:)/], onlyBundle: false },
  inputOptions: { resolve: { mainFields: ["module", "main"], conditionNames: ["workerd", "worker", "browser", "import", "default"] } },
};

await buildPage();

export default defineConfig([
  {
    ...COMMON,
    entry: { index: "src/index.ts", client: "src/client/index.ts", testing: "testing/index.ts" },
    dts: true,
    plugins: [withoutClauses],
    // What comments say of the faces is in their declarations; whoever deploys the package uploads the rest.
    outputOptions: { chunkFileNames: "shared/[name].js", comments: { jsdoc: false } },
    deps: { neverBundle: [/^cloudflare:/, /^node:/, "miniflare", "esbuild"] },
  },
  {
    ...COMMON,
    platform: "node",
    target: "node20",
    fixedExtension: false,
    entry: { "durable-mqtt": "scripts/local/durable-mqtt.ts" },
    clean: false,
    dts: false,
    plugins: [withoutClauses, withWhatIsBuilt],
    outputOptions: { chunkFileNames: "command/[name].js" },
    deps: { neverBundle: ["miniflare"], alwaysBundle: ["commander", "ws"] },
    hooks: { "build:done": () => cpSync(PAGE_FOLDER, join(ROOT, "dist/package/page"), { recursive: true }) },
  },
  { ...WORKERS, entry: { "testing-worker": "testing/worker.ts", "local-worker": "scripts/local/worker.ts" } },
]);
