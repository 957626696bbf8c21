/** The one list of scenarios: what is loaded, how it is called, what must be reached. */

import type { QoS } from "../src/mqtt/packet.ts";
import type { FlowLoad, IdleLoad, Load } from "./load/options.ts";

export interface Targets {
  /** Ratios to aedes. */
  readonly compact: number;
  readonly handed: number;
  readonly relayed: number;
  /** Ratios to mosquitto. */
  readonly mosquitto?: { readonly compact: number; readonly handed: number };
}

export interface Scenario {
  readonly key: string;
  readonly title: string;
  /** A heading of the report. */
  readonly group: string;
  readonly load: Load;
  /** What is counted, and what its ratio to aedes is made of. */
  readonly unit: "deliveries/s" | "visits/s" | "ms" | "KB";
  readonly targets?: Targets;
  /** The load program's ceiling is measured too. */
  readonly ceiling?: boolean;
  /** Fewer rounds than asked for: what does not vary, or takes long. */
  readonly roundsMax?: number;
  /** Each round has a broker that has done nothing yet. */
  readonly fresh?: boolean;
  /** Settings of a broker of one's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** The rate is half of what each broker reached in the scenario of this key. */
  readonly halfPeakOf?: string;
}

const QOS: readonly QoS[] = [0, 1, 2];

/** So that a whole run stays within half an hour. */
export const ROUNDS_WITHOUT_TARGET = 3;

interface Shape {
  readonly key: string;
  readonly title: string;
  readonly shape: Pick<FlowLoad, "publishers" | "subscribers" | "wants" | "outstanding">;
  readonly targets?: readonly [Targets?, Targets?, Targets?];
}

/** Enough is on its way that a server has something to do while the load program reads. */
const PAIRS: Shape = {
  key: "pairs",
  title: "10 pairs",
  shape: { publishers: 10, subscribers: 10, wants: "pairs", outstanding: 1000 },
  targets: [
    { compact: 2, handed: 1.2, relayed: 0.9 },
    { compact: 2, handed: 1.4, relayed: 1 },
    { compact: 2.5, handed: 1.6, relayed: 1.2 },
  ],
};
const FAN_OUT: Shape = {
  key: "fan-out",
  title: "1 to 100",
  shape: { publishers: 1, subscribers: 100, wants: "all", outstanding: 20 },
  targets: [
    { compact: 8, handed: 6, relayed: 4, mosquitto: { compact: 1.2, handed: 0.9 } },
    { compact: 2.3, handed: 1.7, relayed: 1.1 },
  ],
};
const WIDE: Shape = {
  key: "wide",
  title: "1 to 1,000",
  shape: { publishers: 1, subscribers: 1000, wants: "all", outstanding: 10 },
};
const FAN_IN: Shape = {
  key: "fan-in",
  title: "50 to 1",
  shape: { publishers: 50, subscribers: 1, wants: "all", outstanding: 500 },
  targets: [
    { compact: 2.5, handed: 1.5, relayed: 1.1 },
    { compact: 2.3, handed: 1.6, relayed: 1.1 },
  ],
};
const WILDCARD: Shape = {
  key: "wildcard",
  title: "100 to 1 through a wildcard",
  shape: { publishers: 100, subscribers: 1, wants: "wildcard", outstanding: 500 },
};

function flows({ key, title, shape, targets }: Shape, group: string, version: 4 | 5): Scenario[] {
  return QOS.map((qos) => {
    const reach = version === 4 ? targets?.[qos] : undefined;
    return {
      key: `${key}-${qos}${version === 5 ? "-v5" : ""}`,
      title: `${title}, QoS ${qos}`,
      group,
      load: { kind: "flow", version, qos, payloadBytes: 64, framing: "burst", ...shape },
      unit: "deliveries/s",
      ceiling: version === 4,
      ...(reach === undefined ? { roundsMax: ROUNDS_WITHOUT_TARGET } : { targets: reach }),
    };
  });
}

function pairs(key: string, title: string, qos: QoS, change: Partial<FlowLoad>): Scenario {
  const load: FlowLoad = { kind: "flow", version: 4, qos, payloadBytes: 64, framing: "burst", ...PAIRS.shape, ...change };
  return {
    key: `${key}-${qos}`,
    title: `10 pairs, ${title}, QoS ${qos}`,
    group: "Frames and payloads",
    load,
    unit: "deliveries/s",
    roundsMax: ROUNDS_WITHOUT_TARGET,
  };
}

const THROUGHPUT = "MQTT 3.1.1, 64 bytes";
const THROUGHPUT_5 = "MQTT 5.0, 64 bytes";
const FIRST_IDLE = 100;

function idle(connections: number): IdleLoad {
  return { kind: "idle", version: 4, qos: 0, payloadBytes: 64, connections, first: FIRST_IDLE, settleSeconds: 2 };
}

/** Paced and single messages go out as most clients send them: each packet a frame of its own. */
const SINGLE = pairs("packets", "a frame for each packet", 0, { framing: "packet", outstanding: 200 });

export const SCENARIOS: readonly Scenario[] = [
  ...[PAIRS, FAN_OUT, WIDE, FAN_IN, WILDCARD].flatMap((shape) => flows(shape, THROUGHPUT, 4)),
  ...[PAIRS, FAN_OUT, FAN_IN].flatMap((shape) => flows(shape, THROUGHPUT_5, 5)),
  SINGLE,
  pairs("packets", "a frame for each packet", 1, { framing: "packet", outstanding: 200 }),
  pairs("kibibyte", "1 KiB", 0, { payloadBytes: 1024, outstanding: 500 }),
  pairs("kibibyte", "1 KiB", 1, { payloadBytes: 1024, outstanding: 500 }),
  pairs("large", "64 KiB", 0, { payloadBytes: 65_536, outstanding: 50 }),
  pairs("large", "64 KiB", 1, { payloadBytes: 65_536, outstanding: 50 }),
  {
    key: "storm",
    title: "connect, subscribe, disconnect",
    group: "Connections",
    load: { kind: "storm", version: 4, qos: 0, payloadBytes: 64, concurrency: 20 },
    unit: "visits/s",
    targets: { compact: 1, handed: 0.8, relayed: 0.6 },
    ceiling: true,
  },
  {
    key: "storm-v5",
    title: "the same, 5.0",
    group: "Connections",
    load: { kind: "storm", version: 5, qos: 0, payloadBytes: 64, concurrency: 20 },
    unit: "visits/s",
    roundsMax: ROUNDS_WITHOUT_TARGET,
  },
  {
    key: "retained",
    title: "subscribe to 10,000 retained messages",
    group: "Connections",
    load: { kind: "retained", version: 4, qos: 0, payloadBytes: 64, topics: 10_000, prepare: true },
    unit: "deliveries/s",
    roundsMax: ROUNDS_WITHOUT_TARGET,
  },
  {
    key: "idle",
    title: "10,000 idle connections",
    group: "Memory",
    load: idle(10_000),
    unit: "KB",
    // By default one object does not take so many.
    env: { OBJECT_BYTES_MAX: String(128 * 1024 * 1024) },
    fresh: true,
    roundsMax: 1,
  },
  {
    key: "ping-0",
    title: "one message on an idle broker, QoS 0",
    group: "Latency",
    load: { kind: "ping", version: 4, qos: 0, payloadBytes: 64 },
    unit: "ms",
  },
  {
    key: "ping-1",
    title: "one message on an idle broker, QoS 1",
    group: "Latency",
    load: { kind: "ping", version: 4, qos: 1, payloadBytes: 64 },
    unit: "ms",
  },
  {
    key: "half",
    title: "10 pairs at half of the broker's own peak, QoS 0",
    group: "Latency",
    load: { kind: "paced", version: 4, qos: 0, payloadBytes: 64, publishers: 10, subscribers: 10, wants: "pairs", messagesPerSecond: 1000 },
    unit: "ms",
    halfPeakOf: SINGLE.key,
  },
  {
    key: "thousand",
    title: "1,000 publishers, 1 message a second each, to 1,000 subscribers",
    group: "Latency",
    load: {
      kind: "paced",
      version: 4,
      qos: 0,
      payloadBytes: 64,
      publishers: 1000,
      subscribers: 1000,
      wants: "pairs",
      messagesPerSecond: 1000,
    },
    unit: "ms",
    roundsMax: ROUNDS_WITHOUT_TARGET,
  },
];
