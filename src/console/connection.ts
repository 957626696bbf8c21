/** One connection to the page's own origin with the client of this project, and why it failed or ended in words. Knows nothing of the page's elements. */
import { type Client, connect, type Message, type MqttError } from "../client/index.ts";

export interface ConnectChoice {
  readonly namespace: string;
  readonly version: 4 | 5;
  readonly clientId: string;
  readonly username: string;
  readonly password: string;
  readonly clean: boolean;
}

export interface ConnectionEvents {
  opened(client: Client): void;
  /** The connection could not be made or is over; without a problem it was ended from here. */
  closed(problem: string | undefined): void;
  /** What comes for subscriptions that an earlier page has made. */
  message(message: Message): void;
}

/** A session that is not clean outlives its connection by this time, seconds; the broker may cap it. */
const SESSION_EXPIRY_SECONDS = 24 * 60 * 60;

const CONNECT_TIMEOUT_MS = 10_000;

/** Where the broker takes the WebSockets of a namespace. */
function pathOf(namespace: string): string {
  return namespace === "default" ? "/mqtt" : `/${encodeURIComponent(namespace)}/mqtt`;
}

/** @returns what ends the connection, also while it is being made */
export function open(choice: ConnectChoice, events: ConnectionEvents): () => void {
  const path = pathOf(choice.namespace);
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${path}`, "mqtt");
  let client: Client | undefined;
  let isCancelled = false;
  const options = {
    version: choice.version,
    clientId: choice.clientId,
    clean: choice.clean,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    sessionExpirySeconds: choice.clean ? 0 : SESSION_EXPIRY_SECONDS,
    ...(choice.username === "" ? {} : { userName: choice.username }),
    ...(choice.password === "" ? {} : { password: choice.password }),
    onMessage: events.message,
  };
  connect(socket, options).then(
    (connected) => {
      client = connected;
      client.on("closed", (error) => events.closed(error && sentence(error)));
      events.opened(client);
    },
    async (error: MqttError) => events.closed(isCancelled ? undefined : error.kind === "lost" ? await whyNoSocket(path) : sentence(error)),
  );
  return () => {
    isCancelled = true;
    if (client === undefined) socket.close();
    else void client.end();
  };
}

function sentence({ message }: MqttError): string {
  return `${message.replace(/\.$/, "")}.`;
}

/** A browser does not say why a WebSocket was refused; the same path without an upgrade answers in words. */
async function whyNoSocket(path: string): Promise<string> {
  try {
    const response = await fetch(path);
    const text = (await response.text()).trim();
    return response.status === 426 || text === "" || text.length > 500 ? "The broker did not answer with MQTT." : text;
  } catch {
    return "The broker cannot be reached.";
  }
}
