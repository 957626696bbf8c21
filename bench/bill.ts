/**
 * What is billed for a million messages: units from the meters of the objects, counted while a fixed number of messages is sent from the
 * first to the last acknowledgement; prices from prices.ts. Connections are made before and are not in it.
 */

import { LATER_MS } from "../src/limits.ts";
import { holdRule } from "../src/objects/caller.ts";
import type { Usage } from "../src/objects/meter.ts";
import { OWN, type Running } from "./brokers.ts";
import type { FlowLoad, Load, PingLoad } from "./load/options.ts";
import { AWS_IOT, EMQX_SERVERLESS, FREE_A_DAY, PAID } from "./prices.ts";
import type { BillRow } from "./results.ts";
import { measure } from "./run.ts";
import { start } from "./suite.ts";

const PAYLOAD_BYTES = 64;
/** Topic, fixed header, the frame's header: what a small message has besides its payload. */
const OVERHEAD_BYTES = 24;

/** A publisher sends a message a second: so long does a million messages take, and so long are all clients connected. */
const MESSAGES_A_SECOND = 1;

export interface BillCase {
  readonly key: string;
  readonly title: string;
  readonly publishers: number;
  readonly subscribers: number;
  /** Deliveries of each message. */
  readonly copies: number;
  readonly qos: 0 | 1 | 2;
  readonly load: (messages: number) => Load;
}

const SHARDS = 4;

/** So rarely that no object holds another one: then each call is billed. */
const RULE = holdRule(SHARDS, SHARDS);
const SINGLE_PAUSE_MS = Math.ceil((2 * RULE.ms) / RULE.calls);

type Flow = Pick<FlowLoad, "publishers" | "subscribers" | "wants" | "window">;

const COMMON = { version: 4, payloadBytes: PAYLOAD_BYTES } as const;

function single(key: string, title: string, qos: 0 | 1 | 2, more: Partial<PingLoad> = {}): BillCase {
  const load = (messages: number): Load => ({
    ...{ kind: "ping", ...COMMON, qos, messages: Math.ceil(messages / 400), pauseMs: SINGLE_PAUSE_MS },
    ...more,
  });
  return { key, title, publishers: 1, subscribers: 1, copies: 1, qos, load };
}

function busy(key: string, title: string, qos: 0 | 1 | 2, shape: Flow, more: Partial<FlowLoad> = {}): BillCase {
  const copies = shape.wants === "pairs" ? 1 : shape.subscribers;
  const { publishers, subscribers } = shape;
  const load = (messages: number): Load => {
    const count = Math.max(shape.window * publishers, Math.ceil(messages / Math.min(copies, 20)));
    return { kind: "flow", ...COMMON, qos, framing: "packet", ...shape, messages: count, ...more };
  };
  return { key, title, publishers, subscribers, copies, qos, load };
}

const PAIRS: Flow = { publishers: 10, subscribers: 10, wants: "pairs", window: 20 };
const FAN_OUT: Flow = { publishers: 1, subscribers: 100, wants: "all", window: 20 };
const FAN_IN: Flow = { publishers: 50, subscribers: 1, wants: "all", window: 10 };

export const BILL_CASES: readonly BillCase[] = [
  single("single-0", "one at a time, QoS 0", 0),
  single("single-1", "one at a time, QoS 1", 1),
  single("single-2", "one at a time, QoS 2", 2),
  single("single-kept", "one at a time, QoS 1, kept session", 1, { kept: true }),
  single("single-retained", "one at a time, QoS 1, retained", 1, { retain: true }),
  busy("fan-out-single", "one at a time to 100, QoS 0", 0, { ...FAN_OUT, window: 1 }, { messages: Math.floor(RULE.calls / (SHARDS + 1)) }),
  busy("pairs-0", "10 pairs under load, QoS 0", 0, PAIRS),
  busy("pairs-1", "10 pairs under load, QoS 1", 1, PAIRS),
  busy("pairs-2", "10 pairs under load, QoS 2", 2, PAIRS),
  busy("pairs-kept", "10 pairs under load, QoS 1, kept sessions", 1, PAIRS, { kept: true }),
  busy("fan-out-0", "1 to 100 under load, QoS 0", 0, FAN_OUT),
  busy("fan-out-1", "1 to 100 under load, QoS 1", 1, FAN_OUT),
  busy("wide-0", "1 to 1,000 under load, QoS 0", 0, { ...FAN_OUT, subscribers: 1000, window: 10 }),
  busy("fan-in-0", "50 to 1 under load, QoS 0", 0, FAN_IN),
  busy("fan-in-1", "50 to 1 under load, QoS 1", 1, FAN_IN),
];

/** @param messages of each scenario, about */
export async function runBill(messages: number, keys?: readonly string[]): Promise<BillRow[]> {
  const rows: BillRow[] = [];
  for (const contender of OWN) {
    const running = await start(contender);
    try {
      const objects = contender.key === "compact" ? { all: 1, ofOneMessage: 1 } : { all: 8, ofOneMessage: 3 };
      for (const each of BILL_CASES.filter(({ key }) => keys === undefined || keys.includes(key))) {
        rows.push(await count(running, each, messages, contender.key, objects));
      }
    } finally {
      await running.stop();
    }
  }
  return rows;
}

async function count(
  running: Running,
  { key, copies, load }: BillCase,
  messages: number,
  contender: string,
  objects: { readonly all: number; readonly ofOneMessage: number },
): Promise<BillRow> {
  let before: Usage | undefined;
  let after: Usage | undefined;
  const chosen = load(messages);
  const sample = await measure(running, chosen, {
    warmUpSeconds: 0,
    seconds: 60,
    begun: async () => {
      await settled(running.usage!);
      before = await running.usage!();
    },
    ended: async () => {
      // Acknowledgements that are still on their way, and what is written for them.
      await new Promise((resolve) => setTimeout(resolve, 200));
      after = await running.usage!();
    },
  });
  const used = (field: keyof Usage): number => after![field] - before![field];
  const published = sample.count / copies;
  // One at a time: each object on the way is awake no longer than the message takes. Under load: all of them, all the time.
  const awake = chosen.kind === "ping" ? ((sample.p50 ?? 0) / 1000) * published * objects.ofOneMessage : sample.seconds * objects.all;
  return {
    scenario: key,
    contender,
    messages: published,
    deliveries: sample.count,
    requests: used("requests"),
    calls: used("calls"),
    socketMessages: used("socketMessages"),
    alarms: used("alarms"),
    rowsRead: used("rowsRead"),
    rowsWritten: used("rowsWritten"),
    objectSeconds: awake,
  };
}

/** Waits until objects have told what they tell later: about the clients of this case and of the one before. */
async function settled(usage: () => Promise<Usage>): Promise<void> {
  let last = await usage();
  for (let since = Date.now(); Date.now() - since < 1.5 * LATER_MS; ) {
    await new Promise((resolve) => setTimeout(resolve, LATER_MS / 4));
    const now = await usage();
    if (Object.entries(now).some(([field, count]) => count !== last[field as keyof Usage])) since = Date.now();
    last = now;
  }
}

/** What is billed for one message, in the platform's units. */
export interface Units {
  readonly requests: number;
  readonly rowsWritten: number;
  readonly rowsRead: number;
  readonly gigabyteSeconds: number;
}

export function unitsOf(row: BillRow): Units {
  const { messages } = row;
  return {
    requests: (row.requests + row.calls + row.alarms + row.socketMessages / PAID.socketMessagesForRequest) / messages,
    rowsWritten: row.rowsWritten / messages,
    rowsRead: row.rowsRead / messages,
    gigabyteSeconds: (row.objectSeconds * PAID.gigabytesOfObject) / messages,
  };
}

/** Dollars for a million messages, beyond what is included. */
export function priceOfMillion(row: BillRow): number {
  const { requests, rowsWritten, rowsRead, gigabyteSeconds } = unitsOf(row);
  const rows = rowsWritten * PAID.millionRowsWritten + rowsRead * PAID.millionRowsRead;
  return requests * PAID.millionRequests + rows + gigabyteSeconds * PAID.millionGigabyteSeconds;
}

/** Messages a day within the free plan. */
export function freeMessagesADay(row: BillRow): number {
  const units = unitsOf(row);
  const fit = (Object.keys(FREE_A_DAY) as (keyof Units)[]).map((unit) => FREE_A_DAY[unit] / units[unit]);
  return Math.min(...fit);
}

function sessionMinutesOfMillion({ publishers, subscribers }: BillCase): number {
  return (1e6 / (publishers * MESSAGES_A_SECOND) / 60) * (publishers + subscribers);
}

/** @returns undefined at QoS 2, which it does not have */
export function awsPriceOfMillion(each: BillCase): number | undefined {
  if (each.qos === 2) return undefined;
  const messages = 1 + each.copies * (each.qos === 1 ? 2 : 1);
  return messages * AWS_IOT.millionMessages + (sessionMinutesOfMillion(each) / 1e6) * AWS_IOT.millionConnectionMinutes;
}

export function emqxPriceOfMillion(each: BillCase): number {
  const gigabytes = ((1 + each.copies) * (PAYLOAD_BYTES + OVERHEAD_BYTES) * 1e6) / 2 ** 30;
  return (sessionMinutesOfMillion(each) / 1e6) * EMQX_SERVERLESS.millionSessionMinutes + gigabytes * EMQX_SERVERLESS.gigabyte;
}
