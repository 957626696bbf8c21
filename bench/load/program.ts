/**
 * The load program: one process, the same for every broker. Takes LoadOptions as JSON, writes LoadEvents. Started by bench/run.ts.
 */

import { Measure } from "./measure.ts";
import type { LoadOptions } from "./options.ts";
import { flow, paced, ping, send } from "./streams.ts";
import { arrive, assemble, idle, retained, storm } from "./visits.ts";

const options = JSON.parse(process.argv[2]!) as LoadOptions;
const { load, crowd } = options;
const measure = new Measure(options);

if (crowd !== undefined) await assemble(options, crowd);

switch (load.kind) {
  case "flow":
    await flow(options, load, measure);
    break;
  case "library":
    // Only here: it takes longer to load than all of the rest.
    await (await import("./mqttjs.ts")).mqttjs(options, load, measure);
    break;
  case "paced":
    await paced(options, load, measure);
    break;
  case "ping":
    await ping(options, load, measure);
    break;
  case "storm":
    await storm(options, load, measure);
    break;
  case "arrive":
    await arrive(options, load, measure);
    break;
  case "retained":
    await retained(options, load, measure);
    break;
  case "idle":
    await idle(options, load, measure);
    break;
  case "send":
    await send(options, load, measure);
    break;
}
// The other side ends this program: its clients stay until then.
