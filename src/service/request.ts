/** A request and its response, by Response Topic and Correlation Data (MQTT 5.0, 4.10): over a connection of its own, which lasts as long as the request. */

import type { Client } from "../client/client.ts";
import type { Message } from "../client/message.ts";
import { CORRELATION_BYTES } from "../code-limits.ts";
import type { HookMessage, MessageToPublish } from "../hooks/contract.ts";
import { NO_MATCHING_SUBSCRIBERS } from "../mqtt/reason-code.ts";
import { PLATFORM, type Timer } from "../runtime.ts";
import { connectService, type Destination, endService, messageFor, serviceError } from "./connection.ts";
import type { PublishReceipt } from "./contract.ts";
import { ServiceError } from "./error.ts";

export interface Request {
  readonly destination: Destination;
  readonly message: MessageToPublish;
  /** By default one of its own. */
  readonly responseTopic: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly put: (message: MessageToPublish) => Promise<PublishReceipt>;
  /** What goes on when the answer has been given. */
  readonly waitUntil: (promise: Promise<unknown>) => void;
}

export async function request({ destination, message, responseTopic, timeoutMs, signal, put, waitUntil }: Request): Promise<HookMessage> {
  signal?.throwIfAborted();
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new ServiceError("TimeoutError", `request to ${message.topic}: no response within ${timeoutMs} ms`);
    timer = PLATFORM.after(timeoutMs, () => reject(error));
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  const connecting = connectService(destination, { sessionExpirySeconds: 0, timeoutMs });
  try {
    const client = await Promise.race([connecting, late]);
    return await Promise.race([exchange(client, message, responseTopic, put), late]);
  } catch (error) {
    throw serviceError(`request to ${message.topic}`, error);
  } finally {
    timer?.cancel();
    waitUntil(connecting.then(endService, () => {}));
  }
}

async function exchange(client: Client, message: MessageToPublish, agreed: string | undefined, put: Request["put"]): Promise<HookMessage> {
  const responseTopic = agreed ?? client.server.properties.responseInformation ?? `responses/${client.clientId}`;
  const correlationData = crypto.getRandomValues(new Uint8Array(CORRELATION_BYTES));
  let responded: (message: Message) => void;
  const response = new Promise<HookMessage>((resolve, reject) => {
    responded = (message) => resolve(messageFor(message));
    client.on("closed", reject);
  });
  // It may end while nobody waits for it.
  response.catch(() => {});
  const onMessage = (message: Message): void => {
    const brought = message.properties.correlationData;
    const isMeant = brought === undefined ? agreed !== undefined : String(brought) === String(correlationData);
    if (isMeant) responded(message);
  };
  // What was retained there is no response.
  await client.subscribe(responseTopic, { qos: 1, retainHandling: 2, onMessage });
  const { matched } = await put({ ...message, properties: { ...message.properties, responseTopic, correlationData } });
  if (matched === false)
    throw new ServiceError("RefusedError", `request to ${message.topic}: nobody is subscribed to it`, NO_MATCHING_SUBSCRIBERS);
  return response;
}
