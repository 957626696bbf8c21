/** One connection to the page's own origin with MQTT.js, and why it failed or ended in words. Knows nothing of the page's elements. */
import mqtt, { type IClientOptions, type IConnackPacket, type MqttClient } from "mqtt";

export interface ConnectChoice {
  readonly namespace: string;
  readonly version: 4 | 5;
  readonly clientId: string;
  readonly username: string;
  readonly password: string;
  readonly clean: boolean;
}

export interface ConnectionEvents {
  opened(sessionPresent: boolean): void;
  /** The connection could not be made or is over; without a problem it was ended from here. */
  closed(problem: string | undefined): void;
  message(topic: string, payload: Uint8Array, qos: number, retained: boolean): void;
}

/** A session that is not clean outlives its connection by this time, seconds; the broker may cap it. */
const SESSION_EXPIRY_SECONDS = 24 * 60 * 60;

/** Where the broker takes the WebSockets of a namespace. */
function pathOf(namespace: string): string {
  return namespace === "default" ? "/mqtt" : `/${encodeURIComponent(namespace)}/mqtt`;
}

export function connect(choice: ConnectChoice, events: ConnectionEvents): MqttClient {
  const path = pathOf(choice.namespace);
  const options: IClientOptions = {
    protocolVersion: choice.version,
    clientId: choice.clientId,
    clean: choice.clean,
    reconnectPeriod: 0,
    connectTimeout: 10_000,
  };
  if (choice.username !== "") options.username = choice.username;
  if (choice.password !== "") options.password = choice.password;
  if (choice.version === 5 && !choice.clean) options.properties = { sessionExpiryInterval: SESSION_EXPIRY_SECONDS };

  const client = mqtt.connect(`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${path}`, options);
  let wasOpen = false;
  let isOver = false;
  let problem: string | undefined;
  const close = (sentence: string | undefined): void => {
    if (isOver) return;
    isOver = true;
    client.end(true);
    events.closed(sentence);
  };
  client.on("packetreceive", (packet) => {
    if (packet.cmd === "connack") problem = refusal(packet);
    if (packet.cmd === "disconnect")
      problem = `The broker ended the connection: ${reason(packet.reasonCode, packet.properties?.reasonString)}.`;
  });
  client.on("connect", (packet) => {
    wasOpen = true;
    events.opened(packet.sessionPresent);
  });
  client.on("message", (topic, payload, packet) => events.message(topic, payload, packet.qos, packet.retain));
  client.on("error", (error) => {
    problem ??= wasOpen && error.message ? `The connection failed: ${error.message}.` : undefined;
    if (problem !== undefined) close(problem);
  });
  client.on("close", async () => {
    if (client.disconnecting && wasOpen) close(undefined);
    else if (problem !== undefined || wasOpen) close(problem ?? "The connection was lost.");
    else close(await whyNoSocket(path));
  });
  return client;
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

function refusal({ reasonCode, returnCode, properties }: IConnackPacket): string | undefined {
  const code = reasonCode ?? returnCode ?? 0;
  return code === 0 ? undefined : `The broker refused the connection: ${reason(code, properties?.reasonString)}.`;
}

/** The broker's own words where it sends some; otherwise the meaning of the code. */
function reason(code: number | undefined, words: string | undefined): string {
  const name = REASONS[code ?? 0] ?? `code ${code}`;
  return words ? `${name} (${words.replace(/\.$/, "")})` : name;
}

const REASONS: Readonly<Record<number, string>> = {
  0: "normal disconnection",
  1: "it does not speak this version of MQTT",
  2: "it does not accept this client ID",
  3: "it is unavailable",
  4: "user name or password is wrong",
  5: "not authorized",
  129: "malformed packet",
  130: "protocol error",
  131: "an error of its own",
  132: "it does not speak this version of MQTT",
  133: "it does not accept this client ID",
  134: "user name or password is wrong",
  135: "not authorized",
  136: "it is unavailable",
  137: "it is busy",
  138: "banned",
  139: "it is shutting down",
  141: "nothing was heard within the Keep Alive",
  142: "another connection took over this client ID",
  143: "invalid topic filter",
  144: "invalid topic name",
  147: "too many messages at once",
  149: "the packet is too large",
  151: "a quota is used up",
  152: "administrative action",
};
