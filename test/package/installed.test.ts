/**
 * The package as a stranger has it: packed, installed into an empty project outside this one, with the README's ten lines as its Worker. What
 * the tools that look at packages say of it, what it weighs, and whether it works.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type * as Client from "../../src/client/index.ts";
import type * as Testing from "../../testing/index.ts";
import { block, emptyFolder, install, link, pack, tool, write } from "./support.ts";

const KIB = 1024;

const folder = emptyFolder();
let tarball: string;
const installed = join(folder, "node_modules", "durable-mqtt");

beforeAll(async () => {
  tarball = await pack(folder);
  write(folder, {
    "src/worker.ts": block("README.md", "## In a Worker of your own", "ts"),
    "wrangler.toml": block("docs/embed.md", "## Install", "toml"),
    // As strict as can be: declarations of packages are looked at, too.
    "tsconfig.json": JSON.stringify({
      compilerOptions: {
        target: "ES2024",
        lib: ["ES2024"],
        module: "ESNext",
        moduleResolution: "bundler",
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        skipLibCheck: false,
        types: ["@cloudflare/workers-types"],
      },
      include: ["src"],
    }),
    "src/uses.ts": USES,
    "src/other.ts": block("docs/embed.md", "## Other Workers", "ts"),
    "node/tsconfig.json": JSON.stringify({
      compilerOptions: { target: "ES2024", module: "NodeNext", strict: true, noEmit: true, skipLibCheck: false, types: ["node"] },
    }),
    "node/test.ts": TEST_IN_NODE,
  });
  await install(folder, tarball);
  link(folder, ["miniflare", "esbuild", "vitest", "@cloudflare/vitest-plugin", "@cloudflare/workers-types", "@types/node"]);
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What else a Worker imports, each name of it used as its type says. */
const USES = `
import type { MqttService, Broker, BrokerOptions, HookMessage, MessageConsumer } from "durable-mqtt";
import { type Client, connect, type Message } from "durable-mqtt/client";
import { connectThrough } from "durable-mqtt/testing";

export const consumer: MessageConsumer<{ readonly KEPT: KVNamespace }> = {
  filter: "a/#",
  async handle(messages, { env }) {
    for (const { id, payload } of messages) await env.KEPT.put(id, payload);
  },
};
export const options: BrokerOptions = { settings: { SESSION_SHARDS: 8 }, onPublish: (message: HookMessage) => ({ qos: message.qos }) };
// @ts-expect-error There is no such setting.
export const wrong: BrokerOptions = { settings: { SESSION_SHARD: 8 } };
export type Classes = Pick<Broker, "SessionObject" | "TopicObject" | "DirectoryObject">;
export type Service = MqttService;
export async function first(binding: Fetcher): Promise<Message | undefined> {
  const client: Client = await connectThrough(binding, { clientId: "one" });
  for await (const message of await client.subscribe("a/#", { qos: 1 })) return message;
  return undefined;
}
export const there: Promise<Client> = connect("wss://broker.example/mqtt");
`;

/** A test in Node, where there are no types of Workers. */
const TEST_IN_NODE = `
import { startBroker } from "durable-mqtt/testing";
import { connect, MqttError } from "durable-mqtt/client";

const broker = await startBroker({ settings: { ALLOW_ANONYMOUS: true }, worker: new URL("../src/worker.ts", import.meta.url) });
const client = await connect(broker.url, { version: 4 }).catch((error: unknown) => error as MqttError);
console.log(client);
await broker.stop();
`;

const POOL = `
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

export default defineConfig({ plugins: [cloudflareTest({ wrangler: { configPath: "../wrangler.toml" } })] });
`;

/** A test in workerd. */
const TEST_IN_POOL = `
import { SELF } from "cloudflare:test";
import { exports } from "cloudflare:workers";
import { connectThrough } from "durable-mqtt/testing";
import { expect, it } from "vitest";

it.each([SELF, exports.default])("a message goes through the hook", async (broker) => {
  const client = await connectThrough(broker, { clientId: "ada" });
  const messages = await client.subscribe("greetings", { qos: 1 });
  await client.publish("greetings", "hi", { qos: 1 });
  for await (const message of messages) {
    expect(message.properties.userProperties).toEqual([["from", "ada"]]);
    break;
  }
  await client.end();
});
`;

it("publint finds nothing in it", async () => {
  expect(await tool("publint", [installed, "--pack", "false", "--strict"], folder)).toContain("All good!");
});

it("its types are found by every way of resolution that knows ES modules", async () => {
  // It fails where there is something; those that are ignored are of CommonJS.
  const found = await tool("attw", [tarball, "--profile", "esm-only", "--no-color", "--no-emoji", "--format", "ascii"], folder);
  expect(found.match(/^node16 \(from ESM\): OK|^bundler: OK/gm)).toHaveLength(8);
});

it("has what it should and nothing else: no source, test or secret", async () => {
  const files = (await tool("tar", ["-tzf", tarball], folder)).trim().split("\n");
  const odd = files.filter(
    (file) =>
      !/^package\/(?:(?:package\.json|README\.md|LICENSE|CHANGELOG\.md)$|docs\/[\w/-]+\.(?:json|md|png|svg)$|dist\/package\/)/.test(file),
  );
  expect(odd).toEqual([]);
  // The console, pictures of it and the OpenAPI document are a third of it.
  expect(statSync(tarball).size).toBeLessThan(1100 * KIB);
});

/** What an import weighs for its user, in one module with all that it needs. */
async function weight(name: string, minify: boolean): Promise<{ readonly gzip: number; readonly brotli: number; readonly text: string }> {
  const { outputFiles } = await build({
    stdin: { contents: `export * from ${JSON.stringify(name)};`, resolveDir: folder },
    bundle: true,
    write: false,
    minify,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*", "miniflare", "esbuild"],
  });
  const { contents, text } = outputFiles[0]!;
  return { gzip: gzipSync(contents).length, brotli: brotliCompressSync(contents).length, text };
}

it("the client is below 15 KiB, as browsers get it", async () => {
  const { brotli, text } = await weight("durable-mqtt/client", true);
  expect(brotli).toBeLessThan(15 * KIB);
  expect(text).not.toMatch(/MQTT5-|MQTT311-/);
});

it("the broker is below 300 KiB, as wrangler uploads it with its dependencies", async () => {
  expect((await weight("durable-mqtt", false)).gzip).toBeLessThan(300 * KIB);
});

it("the client and the tests' broker bring no package with them, the broker those that it names", async () => {
  const { dependencies } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as { dependencies: Record<string, string> };
  const importsOf = (face: string): Promise<string[]> => bareImports(join(installed, "dist", "package", `${face}.js`));
  expect(await importsOf("client")).toEqual([]);
  expect((await importsOf("testing")).filter((name) => !name.startsWith("node:"))).toEqual(["esbuild", "miniflare"]);
  expect(await importsOf("index")).toEqual(["cloudflare:workers", ...Object.keys(dependencies)].sort());
});

/** The packages that a module imports, itself and by its neighbours. */
async function bareImports(path: string): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [path],
    bundle: true,
    write: false,
    format: "esm",
    packages: "external",
    metafile: true,
  });
  const names = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map((found) => found.path));
  return [...new Set(names.map((name) => (name.includes(":") ? name : name.split("/")[0]!)))].sort();
}

it("type-checks in a Worker with the types of the platform, and in Node without them, declarations included", async () => {
  await tool("tsc", ["-p", "tsconfig.json"], folder);
  await tool("tsc", ["-p", "node/tsconfig.json"], folder);
});

it("wrangler takes the README's Worker with the configuration of the documents", async () => {
  const stdout = await tool("wrangler", ["deploy", "--dry-run", "--outdir", "out"], folder);
  for (const binding of ["env.SESSIONS (SessionObject)", "env.TOPICS (TopicObject)", "env.DIRECTORY (DirectoryObject)"])
    expect(stdout).toContain(binding);
  expect(stdout).toContain("--dry-run: exiting now.");
});

it("a message goes from the packaged client through the hook of the README's Worker", async () => {
  const { startBroker } = await face<typeof Testing>("testing");
  const { connect } = await face<typeof Client>("client");
  const broker = await startBroker({ worker: join(folder, "src/worker.ts") });
  try {
    const client = await connect(broker.url, { clientId: "ada" });
    const messages = await client.subscribe("greetings", { qos: 1 });
    await client.publish("greetings", "hi", { qos: 1 });
    for await (const message of messages) {
      expect([message.text(), message.properties.userProperties]).toEqual(["hi", [["from", "ada"]]]);
      break;
    }
    await client.end();
  } finally {
    await broker.stop();
  }
});

it("the broker that tests have without a Worker is open, and says which setting is wrong", async () => {
  const { startBroker } = await face<typeof Testing>("testing");
  const broker = await startBroker();
  try {
    const [one, other] = await Promise.all([broker.connect({ version: 4 }), broker.connect()]);
    const messages = await one.subscribe("a/+");
    await other.publish("a/b", "1");
    for await (const { topic } of messages) {
      expect(topic).toBe("a/b");
      break;
    }
  } finally {
    await broker.stop();
  }
  await expect(startBroker({ settings: { SESSION_SHARDS: "many" } })).rejects.toThrow(/SESSION_SHARDS/);
});

it("a client comes to the README's Worker in the Workers test pool", async () => {
  write(folder, { "pool/vitest.config.ts": POOL, "pool/pool.test.ts": TEST_IN_POOL });
  const stdout = await tool("vitest", ["run", "--root", "pool", "--no-color"], folder);
  expect(stdout).toMatch(/Tests\s+2 passed/);
});

describe("its command", () => {
  const COMMAND = join(folder, "node_modules", ".bin", "durable-mqtt");

  it("hashes a password", async () => {
    expect(await tool(COMMAND, ["hash-password", "--iterations", "1000", "a password"], folder)).toMatch(/^pbkdf2-sha256\$1000\$/);
  });

  it("makes a project that wrangler takes, whose broker lets in whom it is told to, and nobody by itself", async () => {
    await tool(COMMAND, ["init", "begun", "--package", `file:${tarball}`], folder);
    const begun = join(folder, "begun");
    await tool("tsc", [], begun);
    const stdout = await tool("wrangler", ["deploy", "--dry-run", "--outdir", "out"], begun);
    for (const binding of ["env.SESSIONS (SessionObject)", "env.TOPICS (TopicObject)", "env.DIRECTORY (DirectoryObject)"])
      expect(stdout).toContain(binding);
    expect(stdout).not.toContain("ALLOW_ANONYMOUS");
    const { startBroker } = await face<typeof Testing>("testing");
    const { connect } = await face<typeof Client>("client");
    const worker = join(begun, "src/worker.ts");
    for (const [ALLOW_ANONYMOUS, said] of [
      [true, "let in"],
      [false, expect.stringContaining("not authorized (0x87)")],
    ] as const) {
      const broker = await startBroker({ worker, settings: { ALLOW_ANONYMOUS } });
      const connected = connect(broker.url).then((client) => client.end().then(() => "let in"));
      expect(await connected.catch(({ message }: Error) => message)).toEqual(said);
      await broker.stop();
    }
  });

  it("runs a broker with its page, and says who may connect", async () => {
    const child = spawn(COMMAND, ["start", "--port", "0", "--data", join(folder, "data")], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    try {
      let said = "";
      for await (const text of child.stdout) {
        said += String(text);
        if (/Console +\S+\n[\s\S]*may connect/.test(said)) break;
      }
      const [, page] = /Console +(\S+)\n/.exec(said) ?? [];
      expect(await (await fetch(page!)).text()).toContain("<title>durable-mqtt</title>");
      const { connect } = await face<typeof Client>("client");
      const url = `${page!.replace("http", "ws")}mqtt`;
      await (await connect(url)).end();
      expect(JSON.parse(await tool(COMMAND, ["probe", "-L", url, "--json"], folder))).toMatchObject({
        ok: true,
        rounds: [{ qos: 0 }, { qos: 1 }, { qos: 2 }],
      });
    } finally {
      child.kill("SIGTERM");
      await once(child, "exit");
    }
  });

  it("imports nothing but Node, what the package depends on, and Miniflare when a broker is to be run", async () => {
    const names = await bareImports(join(installed, "dist", "package", "durable-mqtt.js"));
    expect(names.filter((name) => !name.startsWith("node:"))).toEqual(["jose", "miniflare", "zod"]);
  });
});

/** A face of the installed package, in this process. */
async function face<Module>(name: string): Promise<Module> {
  return (await import(pathToFileURL(join(installed, "dist", "package", `${name}.js`)).href)) as Module;
}
