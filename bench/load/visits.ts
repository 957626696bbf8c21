/** Loads in which clients come and go, or come and do nothing. */

import { LoadClient } from "./client.ts";
import { PublishTemplate } from "./frames.ts";
import { inParallel, later, type Measure, sleep } from "./measure.ts";
import type { ArriveLoad, Crowd, IdleLoad, LoadOptions, RetainedLoad, StormLoad } from "./options.ts";

const CONCURRENCY = 50;

export async function storm({ target }: LoadOptions, load: StormLoad, measure: Measure): Promise<void> {
  const run = `${process.pid}`;
  let number = 0;
  let over = false;
  const visitor = async (): Promise<void> => {
    while (!over) {
      number += 1;
      const client = await LoadClient.connect(target, `visitor-${run}-${number}`, load.version);
      await client.subscribe([`bench/${number}`], load.qos);
      client.leave();
      measure.count += 1;
    }
  };
  const visitors = Array.from({ length: load.concurrency }, visitor);
  await measure.run();
  over = true;
  await Promise.all(visitors);
}

export async function arrive({ target }: LoadOptions, load: ArriveLoad, measure: Measure): Promise<void> {
  const start = performance.now();
  let begun = 0;
  const timer = setInterval(() => {
    const due = Math.min(load.connections, Math.floor(((performance.now() - start) / 1000) * load.connectionsPerSecond));
    for (; begun < due; begun += 1) {
      const since = performance.now();
      void LoadClient.connect(target, `arriving-${begun}`, load.version).then(() => {
        measure.count += 1;
        measure.delay(performance.now() - since);
      });
    }
  }, 1);
  await measure.run();
  clearInterval(timer);
}

export async function retained({ target }: LoadOptions, load: RetainedLoad, measure: Measure): Promise<void> {
  const { version, qos, topics } = load;
  if (load.prepare) await prepare(target, load);
  let over = false;
  const visits = (async () => {
    for (let visit = 0; !over; visit += 1) {
      const client = await LoadClient.connect(target, `visitor-${process.pid}-${visit}`, version);
      const all = later();
      let came = 0;
      client.delivered = () => {
        measure.count += 1;
        came += 1;
        if (came === topics) all.resolve();
      };
      const start = performance.now();
      await client.subscribe(["retained/#"], qos);
      await all.promise;
      measure.delay(performance.now() - start);
      client.leave();
    }
  })();
  await measure.run();
  over = true;
  await visits;
}

async function prepare(target: LoadOptions["target"], { version, topics, payloadBytes }: RetainedLoad): Promise<void> {
  const client = await LoadClient.connect(target, "librarian", version);
  for (let topic = 0; topic < topics; ) {
    for (; topic < topics && client.window > 0; topic += 1) {
      client.publish(new PublishTemplate(`retained/${topic % 100}/${topic}`, 1, payloadBytes, version, true), 1, 1);
    }
    await new Promise<void>((resolve) => {
      client.received = resolve;
    });
  }
  while (client.unacknowledged > 0) {
    await new Promise<void>((resolve) => {
      client.received = resolve;
    });
  }
  client.leave();
}

export async function idle({ target }: LoadOptions, load: IdleLoad, measure: Measure): Promise<void> {
  const arrive = async (index: number): Promise<void> => {
    await LoadClient.connect(target, `idler-${index}`, load.version);
    measure.count += 1;
  };
  await inParallel(load.first, CONCURRENCY, arrive);
  await sleep(load.settleSeconds * 1000);
  measure.begin();
  await inParallel(load.connections - load.first, CONCURRENCY, (index) => arrive(index + load.first));
  await sleep(load.settleSeconds * 1000);
  measure.end();
}

/** Filters of one SUBSCRIBE. */
const FILTERS_EACH = 500;

/** Those who are there besides. */
export async function assemble({ target, load }: LoadOptions, crowd: Crowd): Promise<void> {
  await inParallel(crowd.connections, CONCURRENCY, async (index) => {
    const client = await LoadClient.connect(target, `crowd-${index}`, load.version);
    for (let from = 0; from < crowd.subscriptionsEach; from += FILTERS_EACH) {
      const count = Math.min(FILTERS_EACH, crowd.subscriptionsEach - from);
      await client.subscribe(
        Array.from({ length: count }, (_, each) => `crowd/${index}/${from + each}/${each % 10 === 0 ? "+" : "state"}`),
        load.qos,
      );
    }
  });
}
