/**
 * Makes what the broker serves out of its sources: the Worker as one module, the page as static files. The same steps for
 * `npm start`, tests and deploys. It knows nothing about where they run.
 */
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { WorkerModule } from "../../testing/modules.ts";

export type { WorkerModule };

/** The project's folder. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Where the page's files are; wrangler.toml names the same folder. */
export const PAGE_FOLDER = join(ROOT, "dist", "page");

const PAGE_SOURCES = join(ROOT, "src", "console");

/** The OpenAPI document of the HTTP API, which is served beside the page. */
const OPEN_API = join(ROOT, "docs", "openapi.json");

const workers = new Map<string, Promise<string>>();

/**
 * A folder in which processes leave each other the Workers that they have bundled, while no source changes: of the many processes of a test run most
 * need one, and bundling it takes a second of processor time.
 */
export const BUNDLES_VARIABLE = "DURABLE_MQTT_BUNDLES";

/** @param source from the project's folder @returns a Worker as one ES module, bundled once per process */
export function bundleWorker(source: string): Promise<string> {
  const worker = workers.get(source) ?? sharedBundle(source);
  workers.set(source, worker);
  return worker;
}

/** @returns the same as Miniflare is given it */
export async function workerModules(source: string): Promise<WorkerModule[]> {
  return [{ type: "ESModule", path: "worker.js", contents: await bundleWorker(source) }];
}

async function sharedBundle(source: string): Promise<string> {
  const folder = process.env[BUNDLES_VARIABLE];
  if (folder === undefined) return bundle(source);
  const file = join(folder, `${createHash("sha256").update(join(ROOT, source)).digest("hex")}.js`);
  if (existsSync(file)) return readFileSync(file, "utf8");
  const text = await bundle(source);
  // Whole or not at all: others read it at any moment.
  writeFileSync(`${file}.${process.pid}`, text);
  renameSync(`${file}.${process.pid}`, file);
  return text;
}

async function bundle(source: string): Promise<string> {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, source)],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*"],
    logLevel: "silent",
  });
  return outputFiles[0]!.text;
}

/** Clauses of the specification that violations name: tests of the broker ask for them, a client says what is wrong in words. */
export const CLAUSES = /"(?:MQTT(?:5|311)-|(?:5\.0|3\.1\.1|3\.1)\/)[^"]*"/g;

/** @returns the client as one minified ES module, as the package has it: with the codec, without the names of clauses */
export async function bundleClient(): Promise<string> {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, "src/client/index.ts")],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    logLevel: "silent",
    plugins: [
      {
        name: "without clauses",
        setup({ onLoad }) {
          onLoad({ filter: /[\\/]src[\\/]mqtt[\\/][^\\/]+\.ts$/ }, ({ path }) => ({
            contents: readFileSync(path, "utf8").replace(CLAUSES, '""'),
            loader: "ts",
          }));
        },
      },
    ],
  });
  return outputFiles[0]!.text;
}

/** Builds the page into PAGE_FOLDER unless it was built from the very same sources. The folder is replaced as a whole. */
export async function buildPage(): Promise<void> {
  const stamp = `${PAGE_FOLDER}.stamp`;
  const sources = sourcesHash();
  if (existsSync(PAGE_FOLDER) && existsSync(stamp) && readFileSync(stamp, "utf8") === sources) return;
  const { build } = await import("vite");
  const fresh = `${PAGE_FOLDER}.${process.pid}`;
  await build({
    root: PAGE_SOURCES,
    configFile: false,
    logLevel: "warn",
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    build: { outDir: fresh, emptyOutDir: true, chunkSizeWarningLimit: 1000 },
  });
  copyFileSync(OPEN_API, join(fresh, "openapi.json"));
  rmSync(PAGE_FOLDER, { recursive: true, force: true });
  renameSync(fresh, PAGE_FOLDER);
  writeFileSync(stamp, sources);
}

/** What the page is built from, beside packages. */
export const SOURCES_OF_PAGE = ["src/console", "src/client", "src/mqtt"];

/** And these files of folders that are not of it. */
export const FILES_OF_PAGE = ["src/auth/api-token.ts", "src/api/path-part.ts"];

/** A hash over everything the page is built from: its sources, what is served beside it and, through the lock file, its packages. */
function sourcesHash(): string {
  const hash = createHash("sha256")
    .update(readFileSync(join(ROOT, "package-lock.json")))
    .update(readFileSync(OPEN_API));
  const entries = SOURCES_OF_PAGE.flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true }));
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  files.push(...FILES_OF_PAGE.map((file) => join(ROOT, file)));
  for (const file of files.sort()) hash.update(`${relative(ROOT, file)}\0`).update(readFileSync(file));
  return hash.digest("hex");
}
