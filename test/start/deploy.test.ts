import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, it } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "durable-mqtt-deploy-"));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What `wrangler deploy --dry-run` prints. */
async function dryRun(...args: readonly string[]): Promise<string> {
  const { stdout } = await run("wrangler", ["deploy", "--dry-run", "--outdir", folder, ...args], {
    cwd: ROOT,
    env: {
      ...process.env,
      PATH: `${join(ROOT, "node_modules", ".bin")}:${process.env.PATH}`,
      NO_COLOR: "1",
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_LOG_PATH: join(folder, "log"),
      // Nothing may be asked of the network: whatever tries to, fails at once.
      HTTPS_PROXY: "http://127.0.0.1:9",
      HTTP_PROXY: "http://127.0.0.1:9",
    },
  });
  return stdout;
}

it("wrangler deploy --dry-run accepts the configuration and bundles the Worker, without a network", async () => {
  const stdout = await dryRun();
  expect(stdout).toContain("--dry-run: exiting now.");
  for (const binding of ["env.SESSIONS (SessionObject)", "env.TOPICS (TopicObject)", "env.ASSETS", 'env.TOPOLOGY ("sharded")']) {
    expect(stdout).toContain(binding);
  }
  expect(readFileSync(join(folder, "worker.js"), "utf8")).toMatch(/export ?\{[^}]*SessionObject[^}]*TopicObject/);
});

it("a first deploy takes users from the file that `npm run hash-password` writes, with an account or without one", async () => {
  const file = join(folder, "secrets.json");
  await run(
    process.execPath,
    ["scripts/local/durable-mqtt.ts", "hash-password", "--iterations", "1000", "--secrets-file", file, "a password"],
    {
      cwd: ROOT,
    },
  );
  expect(await dryRun("--secrets-file", file)).toMatch(/env\.USERS \("\(hidden\)"\)/);
  expect(await dryRun("--secrets-file", file, "--temporary")).toContain("--dry-run: exiting now.");
});
