/**
 * The metrics of the broker, as one table, and their text in the exposition format of Prometheus. Knows figures, not how they are
 * fetched. docs/operations.md has the same table; a test compares them.
 */

import { LOADS, MEMORY_KINDS } from "../ledger.ts";
import type { Figures, Usage } from "../objects/meter.ts";
import { namespaceOf } from "../objects/names.ts";
import { CONSUMER_DROPS } from "../session/consumer.ts";
import { DROP_REASONS, PACED } from "../session/counters.ts";
import type { ConsumerFigures, SessionFigures } from "../session/figures.ts";
import { RETAINED_COUNTED_MAX } from "../storage-limits.ts";

/** What was learnt of one object: undefined figures when it did not answer. */
export interface Asked {
  /** Its whole name. */
  readonly object: string;
  readonly figures: Figures | undefined;
}

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  /** Of one object; none where it has nothing of the kind. */
  readonly read: (figures: Figures | undefined) => readonly Sample[];
}

const PREFIX = "durable_mqtt_";

function one(value: number | undefined): Sample[] {
  return value === undefined ? [] : [{ labels: {}, value }];
}

function counter(name: string, help: string, read: (figures: Figures) => number | undefined): Metric {
  return { name: `${PREFIX}${name}_total`, type: "counter", help, read: (figures) => one(figures && read(figures)) };
}

function gauge(name: string, help: string, read: (figures: Figures) => number | undefined): Metric {
  return { name: PREFIX + name, type: "gauge", help, read: (figures) => one(figures && read(figures)) };
}

function billed(name: string, field: keyof Usage, help: string): Metric {
  return counter(name, `${help}; since the object woke`, ({ usage }) => usage[field]);
}

function held(name: string, field: Exclude<keyof SessionFigures, "counters" | "consumers">, help: string): Metric {
  return gauge(name, help, ({ session }) => session?.[field]);
}

/** Of each consumer that the code of the Worker has. */
function ofConsumers(name: string, type: Metric["type"], help: string, read: (consumer: ConsumerFigures) => number): Metric {
  return {
    name: PREFIX + name,
    type,
    help,
    read: (figures) =>
      figures?.session?.consumers.map((consumer) => ({ labels: { consumer: consumer.name }, value: read(consumer) })) ?? [],
  };
}

/** Every metric, in the order of the documentation. */
export const METRICS: readonly Metric[] = [
  {
    name: `${PREFIX}object_up`,
    type: "gauge",
    help: "Whether the object told its figures: 1, or 0 when it could not be asked in time",
    read: (figures) => one(figures === undefined ? 0 : 1),
  },
  billed("requests", "requests", "WebSocket upgrades that the object took"),
  billed("calls", "calls", "Calls from other objects and of scrapes"),
  billed("socket_messages", "socketMessages", "WebSocket messages that came in, of which 20 are billed as one request"),
  billed("alarms", "alarms", "Alarms that woke the object or found it awake"),
  billed("rows_read", "rowsRead", "Rows read"),
  billed("rows_written", "rowsWritten", "Rows written"),
  counter(
    "messages_received",
    "Messages that clients published, and wills; since the object woke",
    ({ session }) => session?.counters.messagesReceived,
  ),
  counter(
    "messages_delivered",
    "PUBLISH packets sent to clients, repeats included; since the object woke",
    ({ session }) => session?.counters.messagesDelivered,
  ),
  {
    name: `${PREFIX}messages_dropped_total`,
    type: "counter",
    help: `Messages that a session did not get, by reason (${DROP_REASONS.join(", ")}); since the object woke`,
    read: (figures) => {
      const dropped = figures?.session?.counters.messagesDropped;
      return dropped === undefined ? [] : DROP_REASONS.map((reason) => ({ labels: { reason }, value: dropped[reason] }));
    },
  },
  {
    name: `${PREFIX}above_rate_total`,
    type: "counter",
    help: `PUBLISH and SUBSCRIBE packets that were dropped or refused because their client sends faster than it may, by rate (${PACED.join(", ")}); since the object woke`,
    read: (figures) => {
      const above = figures?.session?.counters.aboveRate;
      return above === undefined ? [] : PACED.map((rate) => ({ labels: { rate }, value: above[rate] }));
    },
  },
  counter(
    "events_left_out",
    "Events below $events that were not told, or not to all, because there were too many at once; since the object woke",
    ({ session }) => session?.counters.eventsLeftOut,
  ),
  counter(
    "faults",
    "Faults of the broker that cost one client its connection; since the object woke",
    ({ session }) => session?.counters.faults,
  ),
  counter(
    "rows_swept",
    "Rows that belonged to no session and were deleted at the start; since the object woke",
    ({ session }) => session?.counters.rowsSwept,
  ),
  {
    name: `${PREFIX}memory_bytes`,
    type: "gauge",
    help: `Memory by the object's own count, by kind (${MEMORY_KINDS.join(", ")})`,
    read: (figures) => (figures === undefined ? [] : MEMORY_KINDS.map((kind) => ({ labels: { kind }, value: figures.memory.bytes[kind] }))),
  },
  gauge("memory_budget_bytes", "What the object may hold in memory: OBJECT_BYTES_MAX", ({ memory }) => memory.budget),
  {
    name: `${PREFIX}load_refused_total`,
    type: "counter",
    help: `Load that was refused because memory was short, by sort (${LOADS.join(", ")}); since the object woke`,
    read: (figures) => (figures === undefined ? [] : LOADS.map((load) => ({ labels: { load }, value: figures.memory.refused[load] }))),
  },
  held("connections", "connections", "MQTT connections"),
  held("closing_sockets", "closingSockets", "Sockets that the broker has closed and whose clients have not answered"),
  held("sessions", "sessions", "Sessions, with and without connection"),
  held("subscriptions", "subscriptions", "Subscriptions of all sessions"),
  held("queued_messages", "queuedMessages", "Messages that wait to be sent to clients, connected or not"),
  held("queued_bytes", "queuedBytes", "Bytes of the messages that wait to be sent to clients"),
  held("inflight_messages", "inflightMessages", "QoS 1 and 2 messages sent to clients and not yet acknowledged"),
  ofConsumers("consumer_messages", "gauge", "Messages that a consumer of the code has not handled", ({ messages }) => messages),
  ofConsumers("consumer_bytes", "gauge", "Bytes of the messages that a consumer of the code has not handled", ({ bytes }) => bytes),
  ofConsumers(
    "consumer_handled_total",
    "counter",
    "Messages that a consumer of the code has handled; since the object woke",
    ({ counters }) => counters.handled,
  ),
  ofConsumers(
    "consumer_failed_batches_total",
    "counter",
    "Batches that a consumer of the code has not handled, or not in time; since the object woke",
    ({ counters }) => counters.failed,
  ),
  {
    name: `${PREFIX}consumer_dropped_total`,
    type: "counter",
    help: `Messages that a consumer of the code did not get or did not handle, by reason (${CONSUMER_DROPS.join(", ")}); since the object woke`,
    read: (figures) =>
      (figures?.session?.consumers ?? []).flatMap(({ name, counters }) =>
        CONSUMER_DROPS.map((reason) => ({ labels: { consumer: name, reason }, value: counters.dropped[reason] })),
      ),
  },
  gauge(
    "retained_messages",
    `Retained messages; absent where there are more than ${RETAINED_COUNTED_MAX}, until the object has counted them`,
    ({ retainedMessages }) => retainedMessages,
  ),
  counter(
    "messages_routed",
    "Messages that Session objects gave to a Topic object, repeats and the broker's own included; since the object woke",
    ({ routed }) => routed?.messages,
  ),
  counter(
    "messages_handed_over",
    "How often a Topic object gave a message to a Session object, whatever the number of its sessions there; since the object woke",
    ({ routed }) => routed?.deliveries,
  ),
  gauge(
    "routes",
    "Topic Filters that Session objects want, each once for each of them, in a Topic object: those without wildcards in one, others in all that have topics they may match",
    ({ routed }) => routed?.routes,
  ),
  gauge("outbox_bytes", "Bytes that wait in this object for calls to other objects", ({ outbox }) => outbox?.bytes),
  counter(
    "calls_repeated",
    "Calls to other objects that failed and were made again; since the object woke",
    ({ outbox }) => outbox?.calls.repeated,
  ),
  counter(
    "calls_given_up",
    "Calls to other objects that failed for too long and were given up; since the object woke",
    ({ outbox }) => outbox?.calls.givenUp,
  ),
];

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function line(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}{${pairs.join(",")}} ${value}\n`;
}

/** The label `object` is its name without the namespace. */
function labelsOf(object: string): Readonly<Record<string, string>> {
  const namespace = namespaceOf(object);
  return { namespace, object: object.slice(namespace.length + 1) };
}

/** The text exposition format, version 0.0.4: each metric with HELP and TYPE and all its samples together. */
export function exposition(asked: readonly Asked[]): string {
  let text = "";
  for (const { name, type, help, read } of METRICS) {
    text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
    for (const { object, figures } of asked) {
      for (const { labels, value } of read(figures)) text += line(name, { ...labelsOf(object), ...labels }, value);
    }
  }
  return text;
}
