/** What the gateway counts, and how Prometheus reads it. No name in it is a client's. */

/** Why a connection was not let through, or was ended by the gateway. */
export type Why =
  /** There are as many as there may be, in all or of its address. */
  | "full"
  | "address"
  | "proxy"
  | "tls"
  | "certificate"
  | "protocol"
  | "slow"
  /** The broker could not be had, or refused the WebSocket. */
  | "unreachable"
  | "refused"
  /** One of the sides took nothing any more. */
  | "stalled"
  | "shutdown";

export class Metrics {
  /** TCP connections that there are. */
  connections = 0;
  /** Of them, with a WebSocket to the broker. */
  open = 0;
  accepted = 0;
  bytesIn = 0;
  bytesOut = 0;
  readonly #ended = new Map<Why, number>();

  count(why: Why): void {
    this.#ended.set(why, this.counted(why) + 1);
  }

  counted(why: Why): number {
    return this.#ended.get(why) ?? 0;
  }

  /** @param opening clients that wait until their WebSocket may be opened @returns the exposition format of Prometheus, 0.0.4 */
  text(opening: number, memory: NodeJS.MemoryUsage = process.memoryUsage()): string {
    const ended = [...this.#ended].map(([why, count]) => `durable_mqtt_gateway_ended_total{why="${why}"} ${count}\n`);
    return [
      gauge("durable_mqtt_gateway_connections", "TCP connections that there are.", this.connections),
      gauge("durable_mqtt_gateway_open", "Of them, those with a connection to the broker.", this.open),
      gauge("durable_mqtt_gateway_waiting", "Clients whose connection to the broker waits for its turn.", opening),
      counter("durable_mqtt_gateway_accepted_total", "TCP connections since the start.", this.accepted),
      counter("durable_mqtt_gateway_received_bytes_total", "Bytes from clients to the broker.", this.bytesIn),
      counter("durable_mqtt_gateway_sent_bytes_total", "Bytes from the broker to clients.", this.bytesOut),
      "# HELP durable_mqtt_gateway_ended_total Connections that the gateway did not let through, or has ended.\n",
      "# TYPE durable_mqtt_gateway_ended_total counter\n",
      ...ended,
      gauge("process_resident_memory_bytes", "Memory of the process.", memory.rss),
    ].join("");
  }
}

function gauge(name: string, help: string, value: number): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name} ${value}\n`;
}

function counter(name: string, help: string, value: number): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} counter\n${name} ${value}\n`;
}
