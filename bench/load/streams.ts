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
    await client.subscribe([filterOf(wants, index)], qos);
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

function filterOf(wants: FlowLoad["wants"], index: number): string {
  if (wants === "wildcard") return "bench/+";
  return wants === "share" ? "$share/group/bench/+" : topicOf(wants, index);
}

/** Deliveries of one message. */
function copiesOf({ wants, subscribers }: FlowLoad | PacedLoad): number {
  return wants === "pairs" || wants === "share" ? 1 : subscribers;
}

/** What says how many messages each publisher may send now. */
interface Room {
  /** A message came. @param subscriber its number */
  arrived(subscriber: number): void;
  /** @returns messages that a publisher may send now; all that are taken count as sent */
  take(publisher: number): number;
  /** So many that were on their way are lost. */
  lost(): void;
}

/** All publishers together: what has arrived is sent anew by all of them, in equal shares. */
class JointRoom implements Room {
  readonly #load: FlowLoad;
  readonly #measure: Measure;
  #sent = 0;
  #share = 0;

  constructor(load: FlowLoad, measure: Measure) {
    this.#load = load;
    this.#measure = measure;
  }

  arrived(): void {}

  take(publisher: number): number {
    const { publishers, window } = this.#load;
    const arrived = (this.#measure.count + this.#measure.lost) / copiesOf(this.#load);
    if (publisher === 0) this.#share = Math.ceil((window * publishers - (this.#sent - arrived)) / publishers);
    this.#sent += Math.max(0, this.#share);
    return Math.max(0, this.#share);
  }

  lost(): void {}
}

/** Each publisher sends one when one of its own has arrived; where nobody sees whose it was, they take turns. */
class RoomOfEach implements Room {
  readonly #load: FlowLoad;
  readonly #copies: number;
  readonly #rooms: number[];
  #came = 0;
  #turn = 0;

  constructor(load: FlowLoad) {
    this.#load = load;
    this.#copies = copiesOf(load);
    this.#rooms = new Array<number>(load.publishers).fill(load.window);
  }

  arrived(subscriber: number): void {
    if (this.#load.wants === "pairs") {
      this.#rooms[subscriber]! += 1;
      return;
    }
    this.#came += 1;
    if (this.#came < this.#copies) return;
    this.#came = 0;
    this.#rooms[this.#turn]! += 1;
    this.#turn = (this.#turn + 1) % this.#rooms.length;
  }

  take(publisher: number): number {
    const room = this.#rooms[publisher]!;
    this.#rooms[publisher] = 0;
    return room;
  }

  lost(): void {
    this.#rooms.fill(this.#load.window);
    this.#came = 0;
  }
}

export async function flow(options: LoadOptions, load: FlowLoad, measure: Measure): Promise<void> {
  const { publishers, subscribers, templates } = await gather(options, load);
  const { qos, framing, messages = Number.POSITIVE_INFINITY } = load;
  const copies = copiesOf(load);
  const room: Room = framing === "burst" ? new JointRoom(load, measure) : new RoomOfEach(load);
  /** What may be sent and was not yet: a publisher has too many without acknowledgement. */
  const due = new Array<number>(publishers.length).fill(0);
  let sent = 0;
  let lastAt = performance.now();
  let scheduled = false;
  const finished = later();
  const pump = (): void => {
    scheduled = false;
    for (const [index, publisher] of publishers.entries()) {
      due[index]! += room.take(index);
      const wanted = Math.min(due[index]!, messages - sent);
      const count = qos === 0 ? wanted : Math.min(wanted, publisher.window);
      if (count <= 0) continue;
      due[index]! -= count;
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
  for (const [index, subscriber] of subscribers.entries()) {
    subscriber.delivered = () => {
      measure.count += 1;
      room.arrived(index);
    };
  }
  for (const client of [...subscribers, ...publishers]) {
    client.received = () => {
      lastAt = performance.now();
      if (framing === "burst") schedule();
      else pump();
    };
  }
  const watch = setInterval(() => {
    if (sent === 0 || performance.now() - lastAt < LOST_AFTER_MS) return;
    measure.lost += Math.max(0, sent * copies - measure.count - measure.lost);
    room.lost();
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
  // Of each publisher where one subscriber gets what it sends, else of each subscriber.
  const departures = (load.wants === "share" ? publishers : subscribers).map(() => new Departures());
  const arrived = (queue: Departures): void => {
    measure.count += 1;
    const sentAt = queue.take();
    if (sentAt !== undefined) measure.delay(performance.now() - sentAt);
  };
  for (const [index, subscriber] of subscribers.entries()) {
    if (load.wants === "share") {
      subscriber.wantTopics();
      subscriber.delivered = (topic) => arrived(departures[Number(topic!.slice(topic!.indexOf("/") + 1))]!);
    } else subscriber.delivered = () => arrived(departures[index]!);
  }
  let sent = 0;
  const start = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    const due = Math.floor(((now - start) / 1000) * load.messagesPerSecond) - sent;
    for (let each = 0; each < due; each += 1) {
      const index = sent % publishers.length;
      sent += 1;
      if (load.wants === "pairs" || load.wants === "share") departures[index]!.add(now);
      else for (const queue of departures) queue.add(now);
      publishers[index]!.publish(templates[index]!, load.qos, 1);
    }
  }, 1);
  await measure.run();
  clearInterval(timer);
  await sleep(200);
  measure.lost = Math.max(0, sent * copiesOf(load) - measure.count);
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
    else setTimeout(send, load.pauseMs ?? PAUSE_MS);
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
