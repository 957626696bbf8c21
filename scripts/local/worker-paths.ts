/** Which requests go to the Worker before files are looked for: as in wrangler.toml; a test compares them. */
export const WORKER_FIRST_PATHS = ["/", "/mqtt", "/*/mqtt", "/health", "/metrics", "/api/*"];

/** Objects and Worker share their memory, so that what collects here collects everywhere. */
export const COLLECT_PATH = "/collect-garbage";

/** What `npm start` says to the Worker beside what the world may say, and the header by whose value the Worker knows it. */
export const CONTROL_PATH = "/control";
export const CONTROL_HEADER = "durable-mqtt-control";

/** Where a client is, as the platform says it. */
export const ADDRESS_HEADER = "CF-Connecting-IP";

/** What is said: whether the disk is full. */
export interface Control {
  readonly isFull: boolean;
}

/** What is answered: objects that lost their connections without a word. */
export interface Report {
  readonly lost: readonly string[];
}

/** What `/health` shows beside the Worker's own answer. */
export interface Notes {
  /** Undefined while all is well. */
  readonly status: string | undefined;
  readonly notes: readonly string[];
}
