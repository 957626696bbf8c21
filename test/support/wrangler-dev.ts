/** `wrangler dev`, as its users start it, in a group of processes of its own, of which nothing is left when it is over. */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";

export interface WranglerOptions {
  /** Configurations; the first Worker has the address. */
  readonly configs: readonly string[];
  /** A folder that its caller removes, for what wrangler keeps. */
  readonly folder: string;
  /** Arguments besides. */
  readonly args?: readonly string[];
  /** Variables of the environment besides. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of variables; by default an empty one, which keeps wrangler from those of whoever runs this test. */
  readonly envFile?: string;
}

/** Whether a process of this group is there. */
function isAlive(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch {
    return false;
  }
}

/** @param body is given the address, `http://127.0.0.1:PORT`, and what was printed so far */
export async function underWrangler(
  { configs, folder, args = [], env = {}, envFile = "/dev/null" }: WranglerOptions,
  body: (url: string, printed: () => string) => Promise<void>,
): Promise<void> {
  const options = ["--ip", "127.0.0.1", "--port", "0", "--inspector-port", "0", "--show-interactive-dev-session=false"];
  const places = ["--persist-to", join(folder, "state"), "--env-file", envFile];
  const files = configs.flatMap((file) => ["-c", file]);
  const child = spawn(
    process.execPath,
    [join(ROOT, "node_modules/wrangler/bin/wrangler.js"), "dev", ...files, ...options, ...places, ...args],
    {
      cwd: folder,
      env: {
        ...process.env,
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_LOG_PATH: join(folder, "log"),
        WRANGLER_REGISTRY_PATH: join(folder, "registry"),
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
      // By which all that it starts is found.
      detached: true,
    },
  );
  const exited = new Promise((resolve) => child.once("exit", resolve));
  let printed = "";
  try {
    const url = await new Promise<string>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => {
          printed += text;
          const ready = /Ready on (http:\/\/127\.0\.0\.1:[0-9]+)/.exec(printed);
          if (ready !== null) resolve(ready[1]!);
        });
      }
      void exited.then(() => reject(new Error(`It ended before it was ready:\n${printed}`)));
    });
    await body(url, () => printed);
  } finally {
    if (isAlive(child.pid!)) process.kill(-child.pid!, "SIGTERM");
    await exited;
    await vi.waitFor(() => expect(isAlive(child.pid!)).toBe(false), { timeout: 20_000 });
  }
}
