/** The one list of scenarios: what is loaded, how it is called, what must be reached. */

import type { QoS } from "../src/mqtt/packet.ts";
import type { FlowLoad, IdleLoad, Load, PacedLoad } from "./load/options.ts";

export interface Targets {
  /** Ratios to aedes. */
  readonly compact: number;
  readonly handed?: number;
  readonly relayed?: number;
  /** Ratio of compact to mosquitto. */
  readonly mosquitto?: number;
  /** Ratios of sharded to compact. */
  readonly ofCompact?: { readonly handed: number; readonly relayed: number };
}

export interface Scenario {
  readonly key: string;
  readonly title: string;
  /** A table of the report. */
  readonly group: Group;
  readonly load: Load;
  /** What is counted, and what its ratio to aedes is made of. */
  readonly unit: "deliveries/s" | "visits/s" | "ms" | "KB";
  readonly targets?: Targets;
  /** The load program's ceiling is measured too. */
  readonly ceiling?: boolean;
  /** Fewer rounds than asked for: what does not vary, or takes long. */
  readonly roundsMax?: number;
  /** Measured for so long, whatever was asked for. */
  readonly seconds?: number;
  /** Before the first round of each: what it takes until all that is run has been compiled. */
  readonly warmUpSeconds?: number;
  /** Each round has a broker that has done nothing yet. */
  readonly fresh?: boolean;
  /** Settings of a broker of one's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** The rate is half of what each broker reached in the scenario of this key. */
  readonly halfPeakOf?: string;
}

/** The tables of the report. */
export type Group = "packets" | "windows" | "library" | "packets5" | "bursts" | "payloads" | "connections" | "memory" | "latency" | "emq";

const QOS: readonly QoS[] = [0, 1, 2];

/** So that a whole run stays within an hour. */
export const ROUNDS_WITHOUT_TARGET = 3;

/** A visit runs much more code than a message, and a second has few of them. */
const STORM_WARM_UP_SECONDS = 8;

/** One after the other a second has few messages: too few for what is compiled while it is used. */
const ONE_WARM_UP_SECONDS = 4;

/** Messages that a client has on the way in what is aimed at. */
const WINDOW = 16;

/** Small, so that what a message costs is seen, and not what its bytes do. */
const PAYLOAD_BYTES = 64;

interface Shape {
  readonly key: string;
  readonly title: string;
  readonly shape: Pick<FlowLoad, "publishers" | "subscribers" | "wants">;
  /** By QoS. */
  readonly targets?: readonly [Targets?, Targets?, Targets?];
  /** When many packets are in a frame: enough is on its way that a server has something to do while the load program reads. */
  readonly burstWindow?: number;
}

const THREEFOLD: Targets = { compact: 3, handed: 1.7, relayed: 1.2, mosquitto: 0.6 };

const PAIRS: Shape = {
  key: "pairs",
  title: "10 pairs",
  shape: { publishers: 10, subscribers: 10, wants: "pairs" },
  targets: [THREEFOLD, THREEFOLD, THREEFOLD],
  burstWindow: 100,
};
const FAN_IN: Shape = {
  key: "fan-in",
  title: "50 to 1",
  shape: { publishers: 50, subscribers: 1, wants: "all" },
  targets: [THREEFOLD, THREEFOLD, THREEFOLD],
  burstWindow: 10,
};
const WILDCARD: Shape = {
  key: "wildcard",
  title: "100 to 1 through a wildcard",
  shape: { publishers: 100, subscribers: 1, wants: "wildcard" },
  targets: [THREEFOLD, THREEFOLD, THREEFOLD],
};
const FAN_OUT: Shape = {
  key: "fan-out",
  title: "1 to 100",
  shape: { publishers: 1, subscribers: 100, wants: "all" },
  targets: [
    { compact: 12, handed: 8, relayed: 4 },
    { compact: 4, handed: 3, relayed: 2 },
  ],
  burstWindow: 20,
};
const WIDE: Shape = {
  key: "wide",
  title: "1 to 1,000",
  shape: { publishers: 1, subscribers: 1000, wants: "all" },
  burstWindow: 10,
};
/** The next message leaves when the last one has arrived. */
const ONE: Shape = {
  key: "one",
  title: "one after the other",
  shape: { publishers: 1, subscribers: 1, wants: "pairs" },
};
const ONE_AT_A_TIME: Targets = { compact: 1.2, ofCompact: { handed: 1 / 2, relayed: 1 / 3 } };

function flow(group: Group, key: string, title: string, load: Omit<FlowLoad, "kind">, more: Partial<Scenario> = {}): Scenario {
  const rounds = more.targets === undefined ? { roundsMax: ROUNDS_WITHOUT_TARGET } : {};
  return { key, title: `${title}, QoS ${load.qos}`, group, load: { kind: "flow", ...load }, unit: "deliveries/s", ...rounds, ...more };
}

const PACKETS = { payloadBytes: PAYLOAD_BYTES, framing: "packet" } as const;
const BURSTS = { payloadBytes: PAYLOAD_BYTES, framing: "burst" } as const;

function packets({ key, title, shape, targets }: Shape, qos: QoS): Scenario {
  const reach = targets?.[qos];
  const more = reach === undefined ? {} : { targets: reach };
  return flow("packets", `${key}-${qos}`, title, { version: 4, qos, ...PACKETS, ...shape, window: WINDOW }, { ceiling: true, ...more });
}

function windowed({ key, title, shape }: Shape, qos: QoS, window: number, more: Partial<Scenario> = {}): Scenario {
  const words = window === 1 ? title : `${title}, ${window} on the way`;
  return flow("windows", `${key}-${qos}-${window}`, words, { version: 4, qos, ...PACKETS, ...shape, window }, more);
}

function packets5({ key, title, shape }: Shape, qos: QoS): Scenario {
  return flow("packets5", `${key}-${qos}-v5`, title, { version: 5, qos, ...PACKETS, ...shape, window: WINDOW });
}

function bursts({ key, title, shape, burstWindow: window = WINDOW }: Shape, qos: QoS): Scenario {
  return flow("bursts", `${key}-${qos}-burst`, title, { version: 4, qos, ...BURSTS, ...shape, window });
}

function payload(key: string, title: string, qos: QoS, payloadBytes: number, window: number, targets?: Targets): Scenario {
  const load = { version: 4, qos, ...PACKETS, ...PAIRS.shape, payloadBytes, window } as const;
  return flow("payloads", `${key}-${qos}`, `10 pairs, ${title}`, load, targets === undefined ? {} : { targets });
}

function library(qos: QoS, window: number): Scenario {
  return {
    key: `library-${qos}-${window}`,
    title: `ten clients, ${window === 1 ? "one" : window} on the way each, QoS ${qos}`,
    group: "library",
    load: { kind: "library", version: 4, qos, payloadBytes: PAYLOAD_BYTES, clients: 10, window },
    unit: "deliveries/s",
    roundsMax: ROUNDS_WITHOUT_TARGET,
  };
}

function idle(connections: number): IdleLoad {
  return { kind: "idle", version: 4, qos: 0, payloadBytes: PAYLOAD_BYTES, connections, first: FIRST_IDLE, settleSeconds: 2 };
}

const FIRST_IDLE = 100;

/** What EMQ measures brokers by, under its names: QoS 1, 16 bytes, one message a second of each publisher. */
function emq(key: string, title: string, shape: Pick<PacedLoad, "publishers" | "subscribers" | "wants">): Scenario {
  const load: PacedLoad = { kind: "paced", version: 4, qos: 1, payloadBytes: 16, messagesPerSecond: shape.publishers, ...shape };
  return { key, title, group: "emq", load, unit: "ms", roundsMax: ROUNDS_WITHOUT_TARGET, seconds: 5 };
}

export const SCENARIOS: readonly Scenario[] = [
  ...QOS.slice(0, 2).map((qos) => windowed(ONE, qos, 1, { targets: ONE_AT_A_TIME, warmUpSeconds: ONE_WARM_UP_SECONDS })),
  ...[PAIRS, FAN_IN, WILDCARD, FAN_OUT].flatMap((shape) => QOS.map((qos) => packets(shape, qos))),
  ...[PAIRS, FAN_IN, FAN_OUT].flatMap((shape) =>
    QOS.slice(0, 2).flatMap((qos) => [windowed({ ...shape, title: `${shape.title}, one on the way` }, qos, 1), windowed(shape, qos, 100)]),
  ),
  ...QOS.map((qos) => library(qos, WINDOW)),
  library(1, 1),
  ...[PAIRS, FAN_IN, FAN_OUT].flatMap((shape) => QOS.map((qos) => packets5(shape, qos))),
  ...[PAIRS, FAN_IN, FAN_OUT, WIDE].flatMap((shape) => QOS.map((qos) => bursts(shape, qos))),
  ...QOS.slice(0, 2).map((qos) => payload("kibibyte", "1 KiB", qos, 1024, WINDOW)),
  ...QOS.slice(0, 2).map((qos) => payload("large", "64 KiB", qos, 65_536, 5, { compact: 1.5, handed: 1, relayed: 1 })),
  {
    key: "storm",
    title: "connect, subscribe, disconnect",
    group: "connections",
    warmUpSeconds: STORM_WARM_UP_SECONDS,
    load: { kind: "storm", version: 4, qos: 0, payloadBytes: PAYLOAD_BYTES, concurrency: 20 },
    unit: "visits/s",
    targets: { compact: 2, handed: 1.3, relayed: 1.1 },
    ceiling: true,
  },
  {
    key: "storm-v5",
    title: "the same, 5.0",
    group: "connections",
    warmUpSeconds: STORM_WARM_UP_SECONDS,
    load: { kind: "storm", version: 5, qos: 0, payloadBytes: PAYLOAD_BYTES, concurrency: 20 },
    unit: "visits/s",
    roundsMax: ROUNDS_WITHOUT_TARGET,
  },
  {
    key: "retained",
    title: "subscribe to 10,000 retained messages",
    group: "connections",
    load: { kind: "retained", version: 4, qos: 0, payloadBytes: PAYLOAD_BYTES, topics: 10_000, prepare: true },
    unit: "deliveries/s",
    roundsMax: ROUNDS_WITHOUT_TARGET,
  },
  {
    key: "idle",
    title: "10,000 idle connections",
    group: "memory",
    load: idle(10_000),
    unit: "KB",
    fresh: true,
    roundsMax: 1,
  },
  {
    key: "ping-0",
    title: "one message on an idle broker, QoS 0",
    group: "latency",
    load: { kind: "ping", version: 4, qos: 0, payloadBytes: PAYLOAD_BYTES },
    unit: "ms",
  },
  {
    key: "ping-1",
    title: "one message on an idle broker, QoS 1",
    group: "latency",
    load: { kind: "ping", version: 4, qos: 1, payloadBytes: PAYLOAD_BYTES },
    unit: "ms",
  },
  {
    key: "half",
    title: "10 pairs at half of the broker's own peak, QoS 0",
    group: "latency",
    load: { kind: "paced", version: 4, qos: 0, payloadBytes: PAYLOAD_BYTES, ...PAIRS.shape, messagesPerSecond: 1000 },
    unit: "ms",
    halfPeakOf: "pairs-0",
  },
  emq("p2p-1K-1K-1K-1K", "`p2p-1K-1K-1K-1K`: 1,000 publishers, each to a subscriber of its own", {
    publishers: 1000,
    subscribers: 1000,
    wants: "pairs",
  }),
  emq("fanout-1-1k-1-1K", "`fanout-1-1k-1-1K`: 1 publisher to 1,000 subscribers", { publishers: 1, subscribers: 1000, wants: "all" }),
  emq("sharedsub-1K-5-1K-1K", "`sharedsub-1K-5-1K-1K`: 1,000 publishers to 5 subscribers that share", {
    publishers: 1000,
    subscribers: 5,
    wants: "share",
  }),
  {
    key: "conn-tcp-10k-100",
    title: "`conn-tcp-10k-100`: 10,000 clients connect, 100 a second",
    group: "emq",
    load: { kind: "arrive", version: 4, qos: 0, payloadBytes: PAYLOAD_BYTES, connections: 10_000, connectionsPerSecond: 100 },
    unit: "ms",
    fresh: true,
    roundsMax: 1,
    seconds: 100,
  },
];
