import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";

it("wrangler deploy --dry-run accepts the configuration and bundles the Worker, without a network", async () => {
  const folder = mkdtempSync(join(tmpdir(), "durable-mqtt-deploy-"));
  try {
    const { stdout } = await promisify(execFile)("wrangler", ["deploy", "--dry-run", "--outdir", folder], {
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
    expect(stdout).toContain("--dry-run: exiting now.");
    for (const binding of ["env.SESSIONS (SessionObject)", "env.TOPICS (TopicObject)", "env.ASSETS", 'env.TOPOLOGY ("sharded")']) {
      expect(stdout).toContain(binding);
    }
    expect(readFileSync(join(folder, "worker.js"), "utf8")).toMatch(/export \{[^}]*SessionObject[^}]*TopicObject/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
