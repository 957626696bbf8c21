/**
 * Two Workers under one `wrangler dev`, each with a configuration of its own: the broker of the README, and the Worker of docs/embed.md that is
 * bound to it, as they stand there. MQTT clients come through that one as well: wrangler gives an address to the first of them alone.
 */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { block, write } from "../package/support.ts";
import { connectMqtt, newFolder, nextMessage } from "./command.ts";

/** Most of it is wrangler's start, on a machine that does much else. */
const TEST_MS = 180_000;

const ENTRY = `
import own from "./own.ts";

interface Env {
  readonly BROKER: Fetcher;
}

export default {
  fetch: (request: Request, env: Env) => (new URL(request.url).pathname === "/mqtt" ? env.BROKER.fetch(request) : own.fetch(request, env as never)),
};
`;

/** The configurations of both, in a folder with their sources. */
function configurations(folder: string): readonly string[] {
  const services = block("docs/embed.md", "## Other Workers", "toml");
  const head = 'name = "own"\nmain = "entry.ts"\ncompatibility_date = "2026-07-15"\n';
  write(folder, {
    "broker/src/worker.ts": block("README.md", "## In a Worker of your own", "ts"),
    "broker/wrangler.toml": `${block("docs/embed.md", "## Install", "toml")}\n[alias]\ndurable-mqtt = ${JSON.stringify(join(ROOT, "src/index.ts"))}\n`,
    "own/own.ts": block("docs/embed.md", "## Other Workers", "ts"),
    "own/entry.ts": ENTRY,
    "own/wrangler.toml": `${head}\n${services}\n[[services]]\nbinding = "BROKER"\nservice = "my-broker"\n`,
    // Keeps wrangler from the variables of whoever runs this test.
    none: "",
  });
  return ["own", "broker"].map((name) => join(folder, name, "wrangler.toml"));
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

/** Runs both. @param body is given the address of the first; when it is over nothing is left of them */
async function underWrangler(body: (url: string) => Promise<void>): Promise<void> {
  const folder = newFolder();
  const options = ["--ip", "127.0.0.1", "--port", "0", "--inspector-port", "0", "--show-interactive-dev-session=false"];
  const places = ["--persist-to", folder, "--env-file", join(folder, "none")];
  const files = configurations(folder).flatMap((file) => ["-c", file]);
  const child = spawn(process.execPath, [join(ROOT, "node_modules/wrangler/bin/wrangler.js"), "dev", ...files, ...options, ...places], {
    cwd: folder,
    env: {
      ...process.env,
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_LOG_PATH: join(folder, "log"),
      WRANGLER_REGISTRY_PATH: join(folder, "registry"),
    },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, by which all that it starts is found.
    detached: true,
  });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  try {
    await body(
      await new Promise<string>((resolve, reject) => {
        let printed = "";
        for (const stream of [child.stdout, child.stderr]) {
          stream.setEncoding("utf8").on("data", (text: string) => {
            printed += text;
            const ready = /Ready on (http:\/\/127\.0\.0\.1:[0-9]+)/.exec(printed);
            if (ready !== null) resolve(ready[1]!);
          });
        }
        void exited.then(() => reject(new Error(`It ended before it was ready:\n${printed}`)));
      }),
    );
  } finally {
    if (isAlive(child.pid!)) process.kill(-child.pid!, "SIGTERM");
    await exited;
    await vi.waitFor(() => expect(isAlive(child.pid!)).toBe(false), { timeout: 20_000 });
  }
}

it("the second Worker publishes, asks, listens and reads, and a client of the broker hears it", { timeout: TEST_MS }, async () => {
  await underWrangler(async (url) => {
    const ask = async (path: string): Promise<readonly [status: number, text: string]> => {
      const answer = await fetch(`${url}${path}`);
      return [answer.status, await answer.text()];
    };
    const lamp = await connectMqtt(`${url.replace("http", "ws")}/mqtt`, { protocolVersion: 5 });
    expect(await ask("/switch")).toEqual([404, "there is no lamp"]);
    const retained = nextMessage(lamp);
    await lamp.subscribeAsync(["lamps/hall", "lamps/hall/state"], { qos: 1 });
    expect(await retained).toEqual({ topic: "lamps/hall", payload: "on", retained: true });
    const heard = nextMessage(lamp);
    expect(await ask("/switch")).toEqual([200, "the lamp has heard it"]);
    expect(await heard).toEqual({ topic: "lamps/hall", payload: "on", retained: false });
    lamp.once("message", (_topic, _payload, { properties }) => {
      const { responseTopic, correlationData } = properties!;
      lamp.publish(responseTopic!, "on", { qos: 1, properties: { correlationData: correlationData! } });
    });
    expect(await ask("/state")).toEqual([200, "on"]);
    const sensors = ["a", "b"].map((place) => `sensors/${place}/temperature`);
    for (const topic of sensors) await lamp.publishAsync(topic, "21", { qos: 1, retain: true });
    const [status, lines] = await ask("/next");
    expect([status, lines.split("\n").sort()]).toEqual([200, sensors.map((topic) => `${topic}: 21`)]);
    expect(JSON.parse((await ask("/"))[1]).sort()).toEqual(["lamps/hall", ...sensors]);
  });
});
