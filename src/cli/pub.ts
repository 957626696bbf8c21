/** `durable-mqtt pub`: publishes a message, or one for each line that it is given. */

import { readFileSync } from "node:fs";
import { buffer } from "node:stream/consumers";
import type { Client } from "../client/client.ts";
import { MqttError } from "../client/error.ts";
import type { PublishOptions } from "../client/options.ts";
import type { QoS } from "../mqtt/packet.ts";
import { Ending } from "./ending.ts";
import { textLines } from "./lines.ts";
import { type PropertyFlags, propertiesOf, propertyOptions, type WillFlags, willOf, willOptions } from "./message-options.ts";
import { Problem, UsageProblem } from "./problem.ts";
import type { Command } from "./program.ts";
import { connectTimeoutOption, connectTo, qosOf, SERVER_HELP, type ServerOptions, sentenceOf, serverOf, serverOptions } from "./server.ts";
import { Progress } from "./terminal.ts";
import { durationOption, wholeNumber } from "./values.ts";

/** Messages of lines that are under way at a time. */
const UNDER_WAY_MAX = 100;

interface Options extends ServerOptions, PropertyFlags, WillFlags {
  readonly topic: string;
  readonly message?: string;
  readonly file?: string;
  readonly stdinFile?: true;
  readonly stdinLine?: true;
  readonly nullMessage?: true;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly repeat: number;
  /** Milliseconds. */
  readonly repeatDelay: number;
  readonly json: boolean;
}

export function define(command: Command): void {
  connectTimeoutOption(serverOptions(command))
    .description("Publishes a message; with -l one for each line of the standard input.")
    .requiredOption("-t, --topic <topic>", "where to")
    .option("-m, --message <text>", "the message")
    .option("-f, --file <file>", "the message is this file")
    .option("-s, --stdin-file", "the message is the standard input")
    .option("-l, --stdin-line", "each line of the standard input is a message")
    .option("-n, --null-message", "the message is empty: with -r it removes what is retained")
    .option("-q, --qos <qos>", "0, 1 or 2; 1 and 2 wait until the broker has acknowledged it", qosOf, 0)
    .option("-r, --retain", "the broker keeps it for later subscribers", false)
    .option("--repeat <n>", "publishes it so often", wholeNumber(1, 1_000_000_000), 1)
    .addOption(durationOption("--repeat-delay <time>", "waits so long between two of them", "0s"))
    .option("--json", "prints what became of each message, an object a line", false);
  propertyOptions(command);
  willOptions(command).addHelpText("after", SERVER_HELP).action(run);
}

type Payload = string | Uint8Array;

type Next = IteratorResult<Payload>;

/** What is published: a payload, or the payloads of lines. */
async function* payloads(options: Options, ending: Ending): AsyncGenerator<Payload> {
  const { message, file, stdinLine, nullMessage, repeat, repeatDelay } = options;
  if (stdinLine) {
    yield* textLines(process.stdin);
    return;
  }
  const payload = message ?? (nullMessage ? "" : file === undefined ? await buffer(process.stdin) : contentsOf(file));
  for (let left = repeat; left > 0; left -= 1) {
    yield payload;
    if (repeatDelay > 0 && left > 1) await ending.pause(repeatDelay);
  }
}

function contentsOf(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Problem(`${file} can't be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

function check({ message, file, stdinFile, stdinLine, nullMessage, passwordStdin }: Options): void {
  if ([message, file, stdinFile, stdinLine, nullMessage].filter((each) => each !== undefined).length !== 1)
    throw new UsageProblem("One of -m, -f, -s, -l and -n was expected.");
  if (passwordStdin && (stdinFile || stdinLine))
    throw new UsageProblem("--password-stdin does not go with -s and -l: the standard input is the message then.");
}

async function run(options: Options): Promise<void> {
  check(options);
  const more = { reconnect: false, ...willOf(options) } as const;
  const server = await serverOf(options);
  const ending = new Ending();
  const all = payloads(options, ending);
  let publishing: Publishing | undefined;
  try {
    // A file that can't be read is found before anybody is connected to.
    const first = await ending.or(all.next());
    const client = await ending.or(connectTo(server, { ...more, signal: ending.signal }), (late) => late.end());
    if (client !== undefined) {
      client.on("closed", (error) => error && ending.fail(error));
      publishing = new Publishing(client, options);
      await publish(first, all, publishing, ending).finally(() => client.end());
    }
    if (ending.isReached) throw new Problem(`It was stopped; ${publishing?.count ?? 0} messages are published.`);
  } finally {
    ending.dispose();
    // It may still be waited for.
    if (options.stdinLine || options.stdinFile) process.stdin.destroy();
  }
}

async function publish(first: Next | undefined, all: AsyncGenerator<Payload>, publishing: Publishing, ending: Ending): Promise<void> {
  try {
    for (let next = first; next !== undefined && !next.done; next = await ending.or(all.next()))
      await ending.or(publishing.add(next.value));
    await ending.or(publishing.settled());
  } catch (error) {
    const published = publishing.count === 0 ? "" : ` ${publishing.count} messages before it are published.`;
    throw error instanceof MqttError ? new Problem(sentenceOf(error) + published) : error;
  } finally {
    publishing.end();
  }
}

/** Messages under way, so many at a time, in their order. */
class Publishing {
  readonly #client: Client;
  readonly #options: Options;
  readonly #properties: PublishOptions;
  readonly #underWay = new Set<Promise<void>>();
  readonly #progress = new Progress();
  /** That are published. */
  count = 0;
  #problem: unknown;

  constructor(client: Client, options: Options) {
    this.#client = client;
    this.#options = options;
    this.#properties = { qos: options.qos, retain: options.retain, ...propertiesOf(options) };
  }

  /** @returns when there is room for another one @throws what went wrong with one before */
  async add(payload: Payload): Promise<void> {
    const one = this.#publish(payload).catch((error) => {
      this.#problem ??= error;
    });
    this.#underWay.add(one);
    void one.then(() => this.#underWay.delete(one));
    while (this.#underWay.size >= UNDER_WAY_MAX && this.#problem === undefined) await Promise.race(this.#underWay);
    if (this.#problem !== undefined) throw this.#problem;
  }

  /** @returns when all are acknowledged @throws what went wrong with one */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
    if (this.#problem !== undefined) throw this.#problem;
  }

  end(): void {
    this.#progress.end();
  }

  async #publish(payload: Payload): Promise<void> {
    const { topic, qos, json } = this.#options;
    const { reasonCode } = await this.#client.publish(topic, payload, this.#properties);
    this.count += 1;
    this.#progress.tell(`${this.count} messages are published`);
    if (json) console.log(JSON.stringify({ topic, qos, reason_code: reasonCode }));
  }
}
