/** The MQTT client as its users see it. */

import type { ProtocolVersion, QoS } from "../mqtt/packet.ts";
import { abortable } from "./abort.ts";
import { Engine } from "./engine.ts";
import { MqttError } from "./error.ts";
import { bytesOfPayload } from "./handshake.ts";
import { REQUEST_MS } from "./limits.ts";
import type { Message } from "./message.ts";
import type {
  ClientEvents,
  ConnectOptions,
  EndOptions,
  Payload,
  PublishOptions,
  Receipt,
  RequestOptions,
  Server,
  SubscribeOptions,
} from "./options.ts";
import { factoryOf, type Socket, type SocketFactory } from "./socket.ts";
import type { Subscription } from "./subscription.ts";
import { expectTopic } from "./topic.ts";

/**
 * Connects to a server.
 * @param target its URL (`wss://`), a socket, or a function that opens one; with a socket there is only one connection
 * @returns the client, when the server has accepted it
 * @throws MqttError when it has not
 */
export async function connect(target: string | Socket | SocketFactory, options: ConnectOptions = {}): Promise<Client> {
  const { version = 5 } = options;
  const factory = factoryOf(target, version === 3 ? "mqttv3.1" : "mqtt", options.WebSocket);
  const engine = new Engine(options, factory ?? (() => target as Socket), factory !== undefined);
  await abortable(
    options.signal,
    () => engine.start(),
    () => void engine.end({ timeoutMs: 0 }),
  );
  return new Client(engine);
}

/**
 * One client of a server, over as many connections as it takes: `connect` makes it, `end` ends it. Its methods reject with an `MqttError`,
 * after the end with that one which ended it.
 */
export class Client {
  readonly #engine: Engine;
  #responses: Promise<string> | undefined;
  #listening: Subscription | undefined;

  /** @param engine one that is connected: `connect` makes both */
  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Whether there is a connection now. */
  get isConnected(): boolean {
    return this.#engine.isConnected;
  }

  /** The one that was given, or that the server chose. */
  get clientId(): string {
    return this.#engine.clientId;
  }

  /** 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0. */
  get version(): ProtocolVersion {
    return this.#engine.options.version ?? 5;
  }

  /** What the server said at the last CONNACK. */
  get server(): Server {
    return this.#engine.server!;
  }

  /**
   * Listens to an event.
   * @returns what takes the listener away
   */
  on<Name extends keyof ClientEvents>(name: Name, listener: ClientEvents[Name]): () => void {
    return this.#engine.emitter.on(name, listener);
  }

  /**
   * Publishes a message. Without a connection it waits for the next one.
   * @param payload not to be changed before the promise has settled
   * @returns at QoS 0 when it is sent; at QoS 1 and 2 when the server has acknowledged it, however many connections that takes
   * @throws MqttError when it was refused
   */
  async publish(topic: string, payload: Payload = "", options: PublishOptions = {}): Promise<Receipt> {
    this.#engine.expectOpen();
    const { qos = 0, retain = false, signal, ...properties } = options;
    expectTopic(topic);
    expectQoS(qos);
    return this.#engine.publisher.publish({ topic, payload: bytesOfPayload(payload), qos, retain, properties }, signal);
  }

  /**
   * Subscribes to one filter or several.
   * @returns when the server has granted all of them; then messages go to `onMessage`, or to whoever iterates
   * @throws MqttError that names the filter when one was refused; then none of them is subscribed
   */
  async subscribe(filters: string | readonly string[], options: SubscribeOptions = {}): Promise<Subscription> {
    this.#engine.expectOpen();
    expectQoS(options.qos ?? 0);
    return this.#engine.subscriber.subscribe(listOf(filters), options);
  }

  /**
   * Ends these filters, for every Subscription that has them.
   * @returns when the server has answered
   * @throws MqttError when it refused, or did not answer within 30 s
   */
  async unsubscribe(filters: string | readonly string[]): Promise<void> {
    this.#engine.expectOpen();
    return this.#engine.subscriber.unsubscribe(listOf(filters));
  }

  /**
   * Publishes a request and waits for its response (MQTT 5.0).
   * @returns the first message that has its Correlation Data
   * @throws MqttError when there is none in time, or nobody is subscribed to the topic
   */
  async request(topic: string, payload: Payload = "", options: RequestOptions = {}): Promise<Message> {
    this.#engine.expectOpen();
    if (this.version !== 5) throw new MqttError("invalid", "Request: expected MQTT 5.0");
    const { timeoutMs = REQUEST_MS, ...publishing } = options;
    const ask = async (): Promise<Message> => {
      if (this.#listening?.isClosed) this.#listening = this.#responses = undefined;
      this.#responses ??= this.#listen();
      const responseTopic = await this.#responses;
      return this.#engine.requests.ask(topic, timeoutMs, (correlationData) =>
        this.publish(topic, payload, { qos: 1, ...publishing, responseTopic, correlationData }),
      );
    };
    return abortable(options.signal, ask, () => {});
  }

  /** Subscribes to the topic of responses, and again where that has ended. */
  async #listen(): Promise<string> {
    try {
      const { options, requests } = this.#engine;
      const topic = options.responseTopic ?? this.server.properties.responseInformation ?? `responses/${encodeURIComponent(this.clientId)}`;
      this.#listening = await this.subscribe(topic, { qos: 1, onMessage: requests.responded });
      return topic;
    } catch (error) {
      this.#responses = undefined;
      throw error;
    }
  }

  /**
   * Responds to a request, at its QoS where the options say no other (MQTT 5.0).
   * @throws MqttError when it is none, or `publish` does
   */
  async respond(request: Message, payload: Payload = "", options: PublishOptions = {}): Promise<Receipt> {
    const { responseTopic, correlationData } = request.properties;
    if (responseTopic === undefined) throw new MqttError("invalid", `Respond: the message to ${request.topic} has no Response Topic`);
    return this.publish(responseTopic, payload, { qos: request.qos, ...options, correlationData } as PublishOptions);
  }

  /**
   * Authenticates anew, with a new exchange of the option `authentication` (MQTT 5.0).
   * @throws MqttError when there is no connection, no such option, or one under way; when the server refuses it, the connection is over
   */
  reauthenticate(): Promise<void> {
    return this.#engine.reauthenticate();
  }

  /**
   * Waits until what was published is acknowledged, disconnects, and closes. Whatever is not settled then is rejected.
   * @returns when the connection is gone; it never rejects
   */
  end(options: EndOptions = {}): Promise<void> {
    return this.#engine.end(options);
  }
}

function expectQoS(qos: QoS): void {
  if (qos !== 0 && qos !== 1 && qos !== 2) throw new MqttError("invalid", `QoS: expected 0, 1 or 2, found ${qos}`);
}

function listOf(filters: string | readonly string[]): readonly string[] {
  return typeof filters === "string" ? [filters] : filters;
}
