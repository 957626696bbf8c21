/** What the load program of bench/hot.ts is told, and what it tells: one JSON object each way. */

interface Common {
  readonly url: string;
  readonly payloadBytes: number;
}

/** One topic that several publish to, each as fast as what it sent arrives, or at a rate, and several want. Tells its rate each second until it is ended. */
export interface HotOptions extends Common {
  readonly role: "hot";
  readonly topic: string;
  readonly publishers: number;
  readonly subscribers: number;
  /** Their sessions outlive their connections. */
  readonly kept: boolean;
  /** Messages of each publisher without acknowledgement. */
  readonly window: number;
  /** Of all publishers together; undefined: as fast as it goes. */
  readonly messagesPerSecond: number | undefined;
}

/** Many topics, one message at a time at a fixed rate, each to one who wants it. */
export interface ColdOptions extends Common {
  readonly role: "cold";
  readonly topics: readonly string[];
  /** Clients that publish, and as many that want: topics are dealt out among them. */
  readonly clients: number;
  readonly messagesPerSecond: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  /** Of topics: for those the delays are told apart. */
  readonly beside: readonly string[];
}

export interface Delays {
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly count: number;
}

export interface ColdResult {
  readonly beside: Delays;
  readonly elsewhere: Delays;
  /** Messages that had not arrived in the end. */
  readonly missing: number;
}
