/**
 * Two Workers under one `wrangler dev`, each with a configuration of its own: the broker of the README, and the Worker of docs/embed.md that is
 * bound to it, as they stand there. MQTT clients come through that one as well: wrangler gives an address to the first of them alone.
 */

import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { block, write } from "../package/support.ts";
import { underWrangler } from "../support/wrangler-dev.ts";
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
  });
  return ["own", "broker"].map((name) => join(folder, name, "wrangler.toml"));
}

/** Runs both. @param body is given the address of the first */
async function underBoth(body: (url: string) => Promise<void>): Promise<void> {
  const folder = newFolder();
  await underWrangler({ configs: configurations(folder), folder }, body);
}

it("the second Worker publishes, asks, listens and reads, and a client of the broker hears it", { timeout: TEST_MS }, async () => {
  await underBoth(async (url) => {
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
