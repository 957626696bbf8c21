/** What the load program is told, and what it tells. One JSON object each way; no code, so that both processes can read it. */

import type { QoS } from "../../src/mqtt/packet.ts";

/** How a client reaches the broker. */
export interface Target {
  readonly url: string;
  /** Names the Client Identifier in the URL, so that a socket is handed to its object at the upgrade. */
  readonly idInUrl: boolean;
}

interface Common {
  readonly version: 4 | 5;
  readonly qos: QoS;
  readonly payloadBytes: number;
}

/**
 * Who wants what. `pairs`: the n-th subscriber wants what the n-th publisher sends to a topic of its own; `all`: there is one topic, and
 * every subscriber wants it; `wildcard`: each publisher has its topic, and every subscriber wants all of them through one filter; `share`: the
 * same, and each message goes to one of them.
 */
interface Shape extends Common {
  readonly publishers: number;
  readonly subscribers: number;
  readonly wants: "pairs" | "all" | "wildcard" | "share";
}

/** As fast as what was sent is delivered: a fixed number of messages is on the way. */
export interface FlowLoad extends Shape {
  readonly kind: "flow";
  /** Messages that may be on their way at once, of each publisher. */
  readonly window: number;
  /**
   * `packet`: each packet is a frame, and leaves as soon as one that was on its way has arrived, as with most clients. `burst`: what a client
   * sends at once is one frame, and so are its acknowledgements of a frame; all publishers send when several messages have arrived.
   */
  readonly framing: "burst" | "packet";
  /** Stops after so many messages, when all have arrived, instead of after the time. */
  readonly messages?: number;
  /** Subscribers keep their sessions (Clean Session 0). */
  readonly kept?: boolean;
}

/** At a fixed rate whatever comes back; tells how long each message took. */
export interface PacedLoad extends Shape {
  readonly kind: "paced";
  /** All publishers together. */
  readonly messagesPerSecond: number;
}

/**
 * MQTT.js in a ring: each client publishes to the next one, as fast as what it sent arrives there. It sends a packet as several frames, and
 * is slow enough itself that it hides a part of the difference between brokers.
 */
export interface LibraryLoad extends Common {
  readonly kind: "library";
  readonly clients: number;
  /** Messages that may be on their way at once, of each client. */
  readonly window: number;
}

/** One message at a time from one client to another, with a pause between them. */
export interface PingLoad extends Common {
  readonly kind: "ping";
  /** Stops after so many messages instead of after the time. */
  readonly messages?: number;
  readonly kept?: boolean;
  /** Between two messages; by default just long enough that the broker has nothing left to do. */
  readonly pauseMs?: number;
  /** Messages are retained. */
  readonly retain?: boolean;
}

/** Clients that connect, subscribe and disconnect, some at once. */
export interface StormLoad extends Common {
  readonly kind: "storm";
  readonly concurrency: number;
}

/** Retained messages on many topics, and new clients that subscribe to all of them at once, one after the other. */
export interface RetainedLoad extends Common {
  readonly kind: "retained";
  readonly topics: number;
  /** Publishes them first. */
  readonly prepare: boolean;
}

/** Clients that connect at a fixed rate and stay; tells how long each took, from the socket to its CONNACK. */
export interface ArriveLoad extends Common {
  readonly kind: "arrive";
  /** All of them, those of the warm-up included. */
  readonly connections: number;
  readonly connectionsPerSecond: number;
}

/** Connections that say CONNECT and nothing more. */
export interface IdleLoad extends Common {
  readonly kind: "idle";
  readonly connections: number;
  /** Those that are made before memory is measured for the first time. */
  readonly first: number;
  /** After the last connection, until memory is measured. */
  readonly settleSeconds: number;
}

/** QoS 0 messages as fast as the network takes them; nobody wants them. */
export interface SendLoad extends Common {
  readonly kind: "send";
  readonly publishers: number;
}

/** What else there is while a load runs: connections that do nothing, and subscriptions to topics that nobody uses. */
export interface Crowd {
  readonly connections: number;
  readonly subscriptionsEach: number;
}

export type Load = FlowLoad | LibraryLoad | PacedLoad | PingLoad | StormLoad | ArriveLoad | RetainedLoad | IdleLoad | SendLoad;

export interface LoadOptions {
  readonly target: Target;
  readonly load: Load;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly crowd?: Crowd;
  /** Tells the count so often while it measures. */
  readonly tickSeconds?: number;
}

export interface LoadResult {
  /** What happened a second: deliveries; for `storm` connections that came and went, for `idle` and `arrive` connections, for `send` messages. */
  readonly perSecond: number;
  /** How many of them in the time that was measured. */
  readonly count: number;
  readonly seconds: number;
  /** The load program's own use of one core, 0 to 1: well below 1 means that it waited for the broker. */
  readonly busy: number;
  /** Messages that never arrived. */
  readonly lost: number;
  /** Milliseconds from sending to receiving, where single messages are followed. */
  readonly mean?: number;
  readonly p50?: number;
  readonly p99?: number;
}

/**
 * One line of the load program's output each. `begin` and `end` are the moments between which things are counted. A load of so many
 * messages waits after `begin` for a line of input.
 */
export type LoadEvent =
  | { readonly event: "begin" }
  | { readonly event: "tick"; readonly perSecond: number }
  | { readonly event: "end"; readonly result: LoadResult };
