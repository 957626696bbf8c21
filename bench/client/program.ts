/** One client at work: one process for each measurement. Takes ClientOptions as JSON, writes LoadEvents. Started by run.ts. */

import { Measure } from "../load/measure.ts";
import { LIBRARIES } from "./libraries.ts";
import type { ClientOptions } from "./run.ts";
import { PAYLOAD_BYTES, streamTopic } from "./scenarios.ts";

const options = JSON.parse(process.argv[2]!) as ClientOptions;
const { scenario, name, url, version } = options;
const { kind, qos, outstanding } = scenario;
const measure = new Measure(options);
const payload = new Uint8Array(PAYLOAD_BYTES).fill(0x61);
const client = await LIBRARIES.find((library) => library.name === name)!.connect(url, version);

async function publishing(): Promise<void> {
  for (;;) {
    const begun = performance.now();
    await client.publish("bench/nobody", payload, qos);
    measure.count += 1;
    if (outstanding === 1) measure.delay(performance.now() - begun);
  }
}

/** At QoS 0 a socket that takes everything at once would leave no turn to anything else: each round of so many leaves one. */
async function publishingWithoutAnswer(): Promise<void> {
  for (;;) {
    await Promise.all(Array.from({ length: outstanding }, () => client.publish("bench/nobody", payload, qos)));
    measure.count += outstanding;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function echoing(): Promise<void> {
  let begun = 0;
  const send = (): void => {
    begun = performance.now();
    void client.publish("bench/echo", payload, qos);
  };
  await client.subscribe("bench/echo", qos, () => {
    measure.count += 1;
    if (outstanding === 1) measure.delay(performance.now() - begun);
    send();
  });
  for (let count = 0; count < outstanding; count += 1) send();
}

switch (kind) {
  case "publish":
    if (qos === 0) void publishingWithoutAnswer();
    else for (let count = 0; count < outstanding; count += 1) void publishing();
    break;
  case "receive":
    await client.subscribe(streamTopic(scenario), qos, () => {
      measure.count += 1;
    });
    break;
  case "echo":
    await echoing();
}
await measure.run();
// A client that goes on would not let this program end.
process.exit(0);
