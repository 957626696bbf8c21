/** Loads in which publishers and subscribers stay: as fast as it goes, at a fixed rate, one at a time, and into nothing. */

import { LoadClient } from "./client.ts";
import { PublishTemplate } from "./frames.ts";
import { inParallel, later, type Measure, sleep } from "./measure.ts";
import type { FlowLoad, LoadOptions, PacedLoad, PingLoad, SendLoad } from "./options.ts";

/** So many clients connect at once. */
const CONCURRENCY = 50;

/** Messages that did not come for so long, while nothing else came either, will not come. */
const LOST_AFTER_MS = 2000;

interface Parties {
  readonly publishers: LoadClient[];
  readonly subscribers: LoadClient[];
  readonly templates: PublishTemplate[];
}

async function gather({ target }: LoadOptions, load: FlowLoad | PacedLoad): Promise<Parties> {
  const { version, qos, wants, payloadBytes } = load;
  const keeps = load.kind === "flow" && load.kept === true;
  const framing = load.kind === "flow" ? load.framing : "packet";
  const subscribers = await inParallel(load.subscribers, CONCURRENCY, async (index) => {
    const client = await LoadClient.connect(target, `subscriber-${index}`, version, keeps);
    client.framing = framing;
    await client.subscribe([wants === "wildcard" ? "bench/+" : topicOf(wants, index)], qos);
    return client;
  });
  const publishers = await inParallel(load.publishers, CONCURRENCY, async (index) => {
    const client = await LoadClient.connect(target, `publisher-${index}`, version);
    client.framing = framing;
    return client;
  });
  const templates = publishers.map((_, index) => new PublishTemplate(topicOf(wants, index), qos, payloadBytes, version));
  return { publishers, subscribers, templates };
}

function topicOf(wants: FlowLoad["wants"], index: number): string {
  return wants === "all" ? "bench/all" : `bench/${index}`;
}

export async function flow(options: LoadOptions, load: FlowLoad, measure: Measure): Promise<void> {
  const { publishers, subscribers, templates } = await gather(options, load);
  const copies = load.wants === "pairs" ? 1 : load.subscribers;
  const { qos, outstanding, messages = Number.POSITIVE_INFINITY } = load;
  let sent = 0;
  let lastAt = performance.now();
  let scheduled = false;
  const finished = later();
  const pump = (): void => {
    scheduled = false;
    const share = Math.ceil((outstanding - (sent - (measure.count + measure.lost) / copies)) / publishers.length);
    for (const [index, publisher] of publishers.entries()) {
      const wanted = Math.min(share, messages - sent);
      const count = qos === 0 ? wanted : Math.min(wanted, publisher.window);
      if (count <= 0) continue;
      sent += count;
      publisher.publish(templates[index]!, qos, count);
    }
    if (measure.count >= messages * copies && publishers.every(({ unacknowledged }) => unacknowledged === 0)) finished.resolve();
  };
  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(pump);
  };
  const arrived = (): void => {
    measure.count += 1;
  };
  for (const subscriber of subscribers) subscriber.delivered = arrived;
  for (const client of [...subscribers, ...publishers]) {
    client.received = () => {
      lastAt = performance.now();
      schedule();
    };
  }
  const watch = setInterval(() => {
    if (sent === 0 || performance.now() - lastAt < LOST_AFTER_MS) return;
    measure.lost += Math.max(0, sent * copies - measure.count - measure.lost);
    schedule();
  }, 250);
  if (messages === Number.POSITIVE_INFINITY) {
    schedule();
    await measure.run();
  } else {
    await measure.beginWhenTold();
    lastAt = performance.now();
    schedule();
    await finished.promise;
    measure.end();
  }
  clearInterval(watch);
}

/** When each message that is on its way was sent, in order: what comes first was sent first. */
class Departures {
  #times: number[] = [];
  #next = 0;

  add(time: number): void {
    this.#times.push(time);
  }

  take(): number | undefined {
    const time = this.#times[this.#next];
    this.#next += 1;
    if (this.#next > 10_000) {
      this.#times = this.#times.slice(this.#next);
      this.#next = 0;
    }
    return time;
  }
}

export async function paced(options: LoadOptions, load: PacedLoad, measure: Measure): Promise<void> {
  const { publishers, subscribers, templates } = await gather(options, load);
  const departures = subscribers.map(() => new Departures());
  for (const [index, subscriber] of subscribers.entries()) {
    subscriber.delivered = () => {
      measure.count += 1;
      const sentAt = departures[index]!.take();
      if (sentAt !== undefined) measure.delay(performance.now() - sentAt);
    };
  }
  let sent = 0;
  const start = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    const due = Math.floor(((now - start) / 1000) * load.messagesPerSecond) - sent;
    for (let each = 0; each < due; each += 1) {
      const index = sent % publishers.length;
      sent += 1;
      if (load.wants === "pairs") departures[index]!.add(now);
      else for (const queue of departures) queue.add(now);
      publishers[index]!.publish(templates[index]!, load.qos, 1);
    }
  }, 1);
  await measure.run();
  clearInterval(timer);
  const copies = load.wants === "pairs" ? 1 : subscribers.length;
  await sleep(200);
  measure.lost = Math.max(0, sent * copies - measure.count);
}

/** Time between two messages: long enough that the broker has nothing left to do. */
const PAUSE_MS = 3;

export async function ping({ target }: LoadOptions, load: PingLoad, measure: Measure): Promise<void> {
  const { version, qos, payloadBytes } = load;
  const subscriber = await LoadClient.connect(target, "subscriber-0", version, load.kept);
  await subscriber.subscribe(["bench/0"], qos);
  const publisher = await LoadClient.connect(target, "publisher-0", version);
  const template = new PublishTemplate("bench/0", qos, payloadBytes, version, load.retain);
  const finished = later();
  let sentAt = 0;
  const send = (): void => {
    sentAt = performance.now();
    publisher.publish(template, qos, 1);
  };
  subscriber.delivered = () => {
    measure.count += 1;
    measure.delay(performance.now() - sentAt);
    if (measure.count === load.messages) setTimeout(finished.resolve, PAUSE_MS);
    else setTimeout(send, PAUSE_MS);
  };
  if (load.messages === undefined) {
    send();
    await measure.run();
  } else {
    await measure.beginWhenTold();
    send();
    await finished.promise;
    measure.end();
  }
}

export async function send({ target }: LoadOptions, load: SendLoad, measure: Measure): Promise<void> {
  const batch = 100;
  await inParallel(load.publishers, CONCURRENCY, async (index) => {
    const client = await LoadClient.connect(target, `publisher-${index}`, load.version);
    client.framing = "packet";
    const template = new PublishTemplate(`bench/${index}`, 0, load.payloadBytes, load.version);
    void (async () => {
      for (;;) {
        const room = client.publish(template, 0, batch);
        measure.count += batch;
        await (room ? new Promise((resolve) => setImmediate(resolve)) : client.drained());
      }
    })();
  });
  await measure.run();
}
