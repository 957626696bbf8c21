/**
 * The MQTT clients that people use, behind one small interface, so that one set of tests runs with each of them: MQTT.js in every
 * protocol version and paho-mqtt. What a client is asked and what it hears are its own library's words; nothing of the broker is here.
 * No wait is longer than WAIT_MS, unless a test of very many clients asks for more patience.
 */

import { once } from "node:events";
import { createRequire } from "node:module";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { WebSocket } from "ws";
import type { ProtocolVersion, QoS } from "../../src/mqtt/packet.ts";
import { toBytes, unique, WAIT_MS } from "./mqtt-client.ts";

export interface Received {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly text: string;
  readonly qos: QoS;
  readonly retain: boolean;
}

export interface RealWill {
  readonly topic: string;
  readonly payload: string;
  readonly qos?: QoS;
  readonly retain?: boolean;
}

export interface RealConnectOptions {
  /** A unique one by default. */
  readonly clientId?: string;
  /** true by default; a 5.0 client with false asks that its session be kept. */
  readonly clean?: boolean;
  readonly userName?: string;
  readonly password?: string;
  readonly will?: RealWill;
}

export interface RealClient {
  readonly clientId: string;
  readonly sessionPresent: boolean;
  readonly inbox: Inbox;
  /** Resolves when the connection is over, whoever ended it, with the Reason Code of the broker's DISCONNECT if one came. */
  readonly closed: Promise<number | undefined>;
  /** @returns the code of SUBACK */
  subscribe(filter: string, qos?: QoS): Promise<number>;
  unsubscribe(filter: string): Promise<void>;
  /** Resolves when the message is acknowledged as its QoS has it. */
  publish(topic: string, payload: string | Uint8Array, qos?: QoS, retain?: boolean): Promise<void>;
  /** Says DISCONNECT. */
  disconnect(): Promise<void>;
  /** Ends the TCP connection without a word, as a crash or a lost network does. */
  cut(): Promise<void>;
}

export interface RealClientKind {
  readonly name: string;
  readonly version: ProtocolVersion;
  /** Whether its URLs are `mqtt://` instead of `ws://`. */
  readonly overTcp: boolean;
  /** @throws Refused when CONNACK refuses */
  connect(url: string, options?: RealConnectOptions): Promise<RealClient>;
}

/** CONNACK refused: a return code of 3.x or a Reason Code of 5.0. */
export class Refused extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`CONNECT was refused with ${code}`);
    this.code = code;
  }
}

/** Fails with a sentence instead of waiting for ever. */
export function within<Value>(promise: Promise<Value>, what: string, timeoutMs = WAIT_MS): Promise<Value> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took more than ${timeoutMs} ms`)), timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** What a client received, in the order of arrival. */
export class Inbox {
  #messages: Received[] = [];
  #arrived: (() => void) | undefined;

  add(topic: string, payload: Uint8Array, qos: number, retain: boolean): void {
    this.#messages.push({ topic, payload, text: new TextDecoder().decode(payload), qos: qos as QoS, retain });
    this.#arrived?.();
  }

  get length(): number {
    return this.#messages.length;
  }

  /** Takes the next messages, waiting for those that are not there yet. */
  async take(count: number, timeoutMs = WAIT_MS): Promise<Received[]> {
    await this.#until(() => this.#messages.length >= count, `${count} messages`, timeoutMs);
    return this.#messages.splice(0, count);
  }

  async next(): Promise<Received> {
    return (await this.take(1))[0]!;
  }

  /** Takes all messages up to the one with this payload, without it: what comes behind it would have come after. */
  async until(text: string, timeoutMs = WAIT_MS): Promise<Received[]> {
    const index = (): number => this.#messages.findIndex((message) => message.text === text);
    await this.#until(() => index() >= 0, JSON.stringify(text), timeoutMs);
    return this.#messages.splice(0, index() + 1).slice(0, -1);
  }

  async #until(isThere: () => boolean, what: string, timeoutMs: number): Promise<void> {
    if (isThere()) return;
    const arrived = new Promise<void>((resolve) => {
      this.#arrived = () => {
        if (isThere()) resolve();
      };
    });
    await within(arrived, `waiting for ${what}`, timeoutMs).catch((error: Error) => {
      throw new Error(
        `${error.message}; there are ${this.#messages.length}: ${this.#messages.map(({ text }) => text.slice(0, 40)).join(", ")}`,
      );
    });
  }
}

/** Options of MQTT.js that tests share: no reconnecting and no subscribing behind their backs. */
export function mqttJsOptions(version: ProtocolVersion, options: RealConnectOptions): IClientOptions {
  const { clientId = unique("c"), clean = true, userName, password, will } = options;
  return {
    clientId,
    clean,
    protocolVersion: version,
    protocolId: version === 3 ? "MQIsdp" : "MQTT",
    reconnectPeriod: 0,
    resubscribe: false,
    ...(version === 5 && !clean ? { properties: { sessionExpiryInterval: 3600 } } : {}),
    ...(userName === undefined ? {} : { username: userName }),
    ...(password === undefined ? {} : { password }),
    ...(will === undefined
      ? {}
      : { will: { topic: will.topic, payload: Buffer.from(will.payload), qos: will.qos ?? 0, retain: will.retain ?? false } }),
  };
}

/** Waits for CONNACK. @returns its Session Present. @throws Refused */
export function mqttJsConnected(client: MqttClient, patienceMs = WAIT_MS): Promise<boolean> {
  const answer = new Promise<boolean>((resolve, reject) => {
    client.once("connect", ({ sessionPresent }) => resolve(sessionPresent));
    client.once("error", (error) => reject("code" in error && typeof error.code === "number" ? new Refused(error.code) : error));
    client.once("close", () => reject(new Error("the connection was closed before CONNACK")));
  });
  return within(answer, "CONNECT", patienceMs);
}

/** @param patienceMs how long it waits for one answer: beside a hundred others it has to wait for theirs */
export function mqttJs(version: ProtocolVersion, overTcp = false, patienceMs = WAIT_MS): RealClientKind {
  return {
    name: `MQTT.js with protocol version ${version}${overTcp ? " over TCP" : ""}`,
    version,
    overTcp,
    async connect(url, options = {}) {
      const client = mqtt.connect(url, mqttJsOptions(version, options));
      const inbox = new Inbox();
      client.on("message", (topic, payload, { qos, retain }) => inbox.add(topic, payload, qos, retain));
      let goodbye: number | undefined;
      client.on("disconnect", ({ reasonCode }) => {
        goodbye = reasonCode;
      });
      const closed = new Promise<number | undefined>((resolve) => client.once("close", () => resolve(goodbye)));
      const sessionPresent = await mqttJsConnected(client, patienceMs);
      return {
        clientId: client.options.clientId!,
        sessionPresent,
        inbox,
        closed,
        subscribe: (filter, qos = 0) => within(mqttJsSubscribe(client, filter, qos), `SUBSCRIBE ${filter}`, patienceMs),
        unsubscribe: async (filter) => void (await within(client.unsubscribeAsync(filter), `UNSUBSCRIBE ${filter}`, patienceMs)),
        publish: async (topic, payload, qos = 0, retain = false) =>
          void (await within(
            client.publishAsync(topic, Buffer.from(toBytes(payload)), { qos, retain }),
            `PUBLISH to ${topic}`,
            patienceMs,
          )),
        disconnect: () => within(client.endAsync(), "DISCONNECT", patienceMs),
        async cut() {
          (client.stream as unknown as { destroy(): void }).destroy();
          await within(closed, "the end of the connection");
        },
      };
    },
  };
}

function mqttJsSubscribe(client: MqttClient, filter: string, qos: QoS): Promise<number> {
  return new Promise((resolve, reject) => {
    client.subscribe(filter, { qos }, (error, granted) => {
      const { code, packet } = (error ?? {}) as { code?: number; packet?: { granted?: number[] } };
      const refusal = code ?? packet?.granted?.[0];
      if (refusal !== undefined) resolve(refusal);
      else if (error) reject(error);
      else resolve(granted![0]!.qos);
    });
  });
}

/** The parts of paho-mqtt that are used here; the package has no types. */
interface PahoMessage {
  destinationName: string;
  qos: QoS;
  retained: boolean;
  readonly payloadBytes: Uint8Array;
}

interface PahoClient {
  readonly clientId: string;
  onMessageArrived: (message: PahoMessage) => void;
  onMessageDelivered: (message: PahoMessage) => void;
  onConnectionLost: (outcome: { errorCode: number; errorMessage: string }) => void;
  connect(options: object): void;
  disconnect(): void;
  send(message: PahoMessage): void;
  subscribe(filter: string, options: object): void;
  unsubscribe(filter: string, options: object): void;
}

interface Paho {
  readonly Client: new (url: string, clientId: string) => PahoClient;
  readonly Message: new (payload: string | Uint8Array) => PahoMessage;
}

/** The socket that paho made last: it shows neither its socket nor Session Present. */
let pahoSocket: WebSocket;

class PahoWebSocket extends WebSocket {
  constructor(url: string, subprotocols: string[]) {
    super(url, subprotocols);
    // paho takes its own listener away before it closes.
    this.on("error", () => {});
    pahoSocket = this;
  }
}

let paho: Paho | undefined;

/** Loads paho-mqtt, which is made for browsers and asks for a global WebSocket. */
function loadPaho(): Paho {
  Object.assign(globalThis, { WebSocket: PahoWebSocket });
  paho ??= createRequire(import.meta.url)("paho-mqtt") as Paho;
  return paho;
}

/** paho-mqtt over WebSocket, version 3.1.1 or 3.1. */
export function pahoMqtt(version: 3 | 4): RealClientKind {
  return {
    name: `paho-mqtt with protocol version ${version}`,
    version,
    overTcp: false,
    connect: (url, options = {}) => within(connectPaho(url, version, options), "CONNECT"),
  };
}

async function connectPaho(url: string, version: 3 | 4, options: RealConnectOptions): Promise<RealClient> {
  const { Client, Message } = loadPaho();
  const { clientId = unique("c"), clean = true, userName, password, will } = options;
  const client = new Client(url, clientId);
  const inbox = new Inbox();
  const unsettled = new Map<PahoMessage, () => void>();
  client.onMessageArrived = ({ destinationName, payloadBytes, qos, retained }) => inbox.add(destinationName, payloadBytes, qos, retained);
  client.onMessageDelivered = (message) => unsettled.get(message)?.();
  const lost = new Promise<undefined>((resolve) => {
    client.onConnectionLost = () => resolve(undefined);
  });
  const message = (topic: string, payload: string | Uint8Array, qos: QoS, retain: boolean): PahoMessage =>
    Object.assign(new Message(payload), { destinationName: topic, qos, retained: retain });

  const connected = new Promise<void>((resolve, reject) => {
    client.connect({
      mqttVersion: version,
      mqttVersionExplicit: true,
      cleanSession: clean,
      ...(userName === undefined ? {} : { userName }),
      ...(password === undefined ? {} : { password }),
      ...(will === undefined ? {} : { willMessage: message(will.topic, will.payload, will.qos ?? 0, will.retain ?? false) }),
      onSuccess: () => resolve(),
      onFailure: ({ errorMessage }: { errorMessage: string }) => {
        const code = /return code:(\d+)/.exec(errorMessage)?.[1];
        reject(code === undefined ? new Error(errorMessage) : new Refused(Number(code)));
      },
    });
  });
  const socket = pahoSocket;
  const connack = once(socket, "message") as Promise<[ArrayBuffer]>;
  await connected;
  return {
    clientId,
    sessionPresent: (new Uint8Array((await connack)[0])[2]! & 1) === 1,
    inbox,
    closed: lost,
    subscribe: (filter, qos = 0) => {
      const answer = new Promise<number>((resolve) => {
        client.subscribe(filter, {
          qos,
          onSuccess: ({ grantedQos }: { grantedQos: Uint8Array }) => resolve(grantedQos[0]!),
          onFailure: ({ errorCode }: { errorCode: Uint8Array }) => resolve(errorCode[0]!),
        });
      });
      return within(answer, `SUBSCRIBE ${filter}`);
    },
    unsubscribe: (filter) => {
      const answer = new Promise<void>((resolve) => client.unsubscribe(filter, { onSuccess: () => resolve() }));
      return within(answer, `UNSUBSCRIBE ${filter}`);
    },
    publish: (topic, payload, qos = 0, retain = false) => {
      const sent = message(topic, payload, qos, retain);
      const answer = new Promise<void>((resolve) => unsettled.set(sent, resolve));
      client.send(sent);
      return within(answer, `PUBLISH to ${topic}`).finally(() => unsettled.delete(sent));
    },
    async disconnect() {
      const ended = once(socket, "close");
      client.disconnect();
      await within(ended, "DISCONNECT");
    },
    async cut() {
      socket.terminate();
      await within(lost, "the end of the connection");
    },
  };
}
