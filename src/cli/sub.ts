/** `durable-mqtt sub`: subscribes, and prints what comes until it is told to stop, or enough has come. */

import { once } from "node:events";
import type { Client } from "../client/client.ts";
import type { Message, MessageProperties } from "../client/message.ts";
import type { MessageHandler } from "../client/options.ts";
import { systemClock } from "../client/platform.ts";
import type { QoS } from "../mqtt/packet.ts";
import { PLATFORM } from "../runtime.ts";
import { Ending } from "./ending.ts";
import { type WillFlags, willOf, willOptions } from "./message-options.ts";
import { Problem, UsageProblem } from "./problem.ts";
import type { Command } from "./program.ts";
import {
  connectTimeoutOption,
  connectTo,
  qosOf,
  SERVER_HELP,
  type ServerOptions,
  sentenceOf,
  serverOf,
  serverOptions,
  told,
} from "./server.ts";
import { paint } from "./terminal.ts";
import { durationOf, several, wholeNumber } from "./values.ts";

/** A session that nobody said the end of is kept as long as the broker keeps any, seconds. */
const NEVER = 4_294_967_295;

interface Options extends ServerOptions, WillFlags {
  readonly topic: readonly string[];
  readonly qos: QoS;
  readonly verbose: boolean;
  readonly json: boolean;
  readonly newline: boolean;
  readonly count?: number;
  /** Milliseconds. */
  readonly wait?: number;
  readonly retained: boolean;
  readonly local: boolean;
  readonly disableCleanSession: boolean;
  readonly sessionExpiryInterval?: number;
}

export function define(command: Command): void {
  connectTimeoutOption(serverOptions(command))
    .description("Subscribes and prints what comes, a payload a line. Ctrl-C ends it.")
    .requiredOption("-t, --topic <filter>", "what to subscribe to; may be given several times", several)
    .option("-q, --qos <qos>", "0, 1 or 2", qosOf, 0)
    .option("-v, --verbose", "prints the topic before each payload", false)
    .option("--json", "prints an object a line: topic, payload, qos, retain and properties", false)
    .option("-N, --no-newline", "prints payloads with nothing between them")
    .option("-C, --count <n>", "ends when so many have come", wholeNumber(1, 1_000_000_000))
    .option("-W, --wait <time>", "ends after this time; with -C that is a failure", durationOf)
    .option("-R, --no-retained", "prints nothing that was retained before")
    .option("--no-local", "gets nothing that this client publishes itself, such as its will (5.0)")
    .option("-c, --disable-clean-session", "goes on with the session of this Client Identifier (-i), which the broker keeps", false)
    .option("-x, --session-expiry-interval <seconds>", "how long the broker keeps it (5.0)", wholeNumber(0, NEVER));
  willOptions(command).addHelpText("after", SERVER_HELP).action(run);
}

async function run(options: Options): Promise<void> {
  const { disableCleanSession: isKept, sessionExpiryInterval, wait, count } = options;
  if (isKept && options.id === undefined) throw new UsageProblem("-c needs the Client Identifier whose session it is: -i.");
  const more = willOf(options);
  const server = await serverOf(options);
  const ending = new Ending();
  if (wait !== undefined) ending.after(wait);
  const printer = new Printer(options, ending);
  const onMessage = (message: Message): Promise<void> => printer.print(message);
  try {
    const connecting = connectTo(server, {
      ...more,
      clean: !isKept,
      ...(isKept || sessionExpiryInterval !== undefined ? { sessionExpirySeconds: sessionExpiryInterval ?? NEVER } : {}),
      // What waited in the session is printed too.
      onMessage,
      signal: ending.signal,
      on: {
        disconnected: ({ error, willReconnect }) => {
          if (willReconnect) console.error(`durable-mqtt: ${sentenceOf(error)} Connecting again ...`);
        },
      },
    });
    const client = await ending.or(connecting, (late) => late.end());
    if (client !== undefined) await listen(client, options, ending, onMessage);
  } finally {
    ending.dispose();
  }
  if (count !== undefined && printer.count < count) throw new Problem(`${printer.count} of ${count} messages came in time.`);
}
/** Until the end. */
async function listen(client: Client, { topic, ...options }: Options, ending: Ending, onMessage: MessageHandler): Promise<void> {
  const { qos, local, retained } = options;
  const subscribing = { qos, noLocal: !local, ...(retained ? {} : { retainHandling: 2 as const }), onMessage };
  client.on("closed", (error) => error && ending.fail(new Problem(sentenceOf(error))));
  try {
    await ending.or(told(() => client.subscribe(topic, subscribing)));
    await ending.reached();
  } finally {
    await client.end();
  }
}

/** Prints messages, no faster than somebody reads them: until then they are not acknowledged. */
class Printer {
  count = 0;
  readonly #options: Options;
  readonly #ending: Ending;

  constructor(options: Options, ending: Ending) {
    this.#options = options;
    this.#ending = ending;
  }

  async print(message: Message): Promise<void> {
    const { count, retained } = this.#options;
    if (message.retain && !retained) return;
    // What is not printed is not acknowledged: its session has it for the next time.
    if (this.count === count) await new Promise(() => {});
    this.count += 1;
    const isLast = this.count === count;
    if (!process.stdout.write(this.#textOf(message))) await once(process.stdout, "drain");
    // After it was acknowledged.
    if (isLast) systemClock.after(0, () => this.#ending.finish());
  }

  #textOf(message: Message): Uint8Array {
    const { verbose, json, newline } = this.#options;
    if (json) return Buffer.from(`${JSON.stringify(objectOf(message))}\n`);
    const topic = verbose ? `${paint("green", message.topic)} ` : "";
    return Buffer.concat([Buffer.from(topic), message.payload, Buffer.from(newline ? "\n" : "")]);
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** As the API writes it: what is no text is in Base64. */
function objectOf({ topic, payload, qos, retain, properties }: Message): object {
  const time = new Date(PLATFORM.now()).toISOString();
  const more = Object.keys(properties).length === 0 ? {} : { properties: propertiesOf(properties) };
  try {
    return { time, topic, payload: decoder.decode(payload), qos, retain, ...more };
  } catch {
    return { time, topic, payload: Buffer.from(payload).toString("base64"), payload_encoding: "base64", qos, retain, ...more };
  }
}

function propertiesOf(properties: MessageProperties): object {
  return {
    payload_format_indicator: properties.payloadFormatIndicator,
    message_expiry_interval: properties.messageExpiryInterval,
    content_type: properties.contentType,
    response_topic: properties.responseTopic,
    correlation_data: properties.correlationData && Buffer.from(properties.correlationData).toString("base64"),
    user_properties: properties.userProperties,
  };
}
