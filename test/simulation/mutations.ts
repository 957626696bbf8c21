/**
 * Mistakes that somebody could make in the source, each as a replacement of text, and whatever it takes to run the simulation on a copy
 * of the source with one of them in it. A text that is not there exactly once is an error: the source has moved on, and so must the list.
 */

import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../scripts/build/bundle.ts";

export interface Mutation {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** It must be found among so many seeds, from 1 on. */
  readonly seeds: number;
  /** In runs in which the numbers of objects change. */
  readonly reshaped?: true;
}

export const MUTATIONS: readonly Mutation[] = [
  {
    name: "answer a SUBSCRIBE when its first slice is known",
    file: "src/session/subscribe.ts",
    find: "#waiting = 1;",
    replace: "#waiting = 0;",
    seeds: 100,
  },
  {
    name: "go on with what a client sent behind a SUBSCRIBE that is half taken",
    file: "src/objects/client.ts",
    find: "if (this.#isTaking) {",
    replace: "if (this.#waits && this.#isTaking) {",
    seeds: 100,
  },
  {
    name: "forget a SUBSCRIBE that waits for outcomes",
    file: "src/session/taking.ts",
    find: "if (!this.waits) this.#ready();",
    replace: "if (!this.waits && !this.isOpen) this.#ready();",
    seeds: 100,
  },
  {
    name: "forget what was left for another slice",
    file: "src/objects/flusher.ts",
    find: "if (isLeft && !this.#waits) {",
    replace: "if (isLeft && this.#waits) {",
    seeds: 100,
  },
  {
    name: "acknowledge before storing",
    file: "src/objects/incoming-batches.ts",
    find: "      await written();\n      return bytes;",
    replace: "      flushSoon();\n      return bytes;",
    seeds: 400,
  },
  {
    name: "forget which messages were here before",
    file: "src/session/repeats.ts",
    find: "if (message.sequence <= seen.through) return true;",
    replace: "",
    seeds: 600,
  },
  {
    name: "forget which QoS 2 messages may be repeated late",
    file: "src/session/repeats.ts",
    find: "if (known || message.repeated) return known;",
    replace: "if (message.repeated) return false;",
    seeds: 200,
  },
  {
    name: "forget which messages shared subscriptions were given",
    file: "src/session/repeats.ts",
    find: "return message.sequence < settledBelow || this.#shares.wasExchanged(message, filter);",
    replace: "return message.sequence < settledBelow;",
    seeds: 200,
  },
  {
    name: "reorder a batch",
    file: "src/objects/batch-handling.ts",
    find: "handle(record, this.#next);",
    replace: "handle(this.#records[this.#records.length - 1 - this.#next]!, this.#records.length - 1 - this.#next);",
    seeds: 100,
  },
  {
    name: "drop a route on restart",
    file: "src/routing/core.ts",
    find: "of options.store.routes()) {",
    replace: "of options.store.routes().slice(1)) {",
    seeds: 100,
  },
  {
    name: "send what waits as soon as an answer has come, before its rows",
    file: "src/objects/topic-queue.ts",
    find: "      goOn: settled,\n",
    replace: "",
    seeds: 600,
  },
  {
    name: "send PUBREL before PUBREC is on record",
    file: "src/session/acknowledge.ts",
    find: "    acknowledged(core, session, packetId);\n    core.changes.markRow(session);\n",
    replace: "    acknowledged(core, session, packetId);\n",
    seeds: 100,
  },
  {
    name: "use Packet Identifiers again that are in use",
    file: "src/session/session.ts",
    find: "packetId + 1;\n      if (!this.#isInUse(packetId)) return packetId;",
    replace: "packetId + 1;\n      this.nextPacketId = (packetId % 8) + 1;\n      return packetId;",
    seeds: 100,
  },
  {
    name: "trim the log too early",
    file: "src/session/log-record.ts",
    find: "chunk.records.filter((record) => record.open > 0);",
    replace: "chunk.records.filter((record) => record.open === record.recipients.length);",
    seeds: 100,
  },
  {
    name: "lose what was sent before a resume",
    file: "src/session/waiting.ts",
    find: "backlog.unshift(stored.map(waitingOf));",
    replace: "backlog.unshift(stored.map(waitingOf).filter(({ sent }) => !sent));",
    seeds: 100,
  },
  {
    name: "go on with new messages where the Topic object has forgotten what was open",
    file: "src/objects/exchanges.ts",
    find: "if (awaited !== undefined && (from === undefined || awaited.life !== this.#options.life)) {",
    replace: "if (awaited !== undefined && this.#options === undefined) {",
    seeds: 400,
  },
  {
    name: "settle what is still open",
    file: "src/objects/topic-queue.ts",
    find: "if (code !== PENDING) {\n        this.#settle(request, code);",
    replace: "if (code !== undefined) {\n        this.#settle(request, code === PENDING ? 0 : code);",
    seeds: 400,
  },
  {
    name: "give up a call that failed",
    file: "src/objects/call-queue.ts",
    find: "if (delayMs !== undefined) this.#runtime.after(delayMs, () => void this.#send(items, next, next).catch(unlessRefused));",
    replace: "if (delayMs !== undefined) this.#outbox.succeeded();",
    seeds: 100,
  },
  {
    name: "send more than the client's window",
    file: "src/session/queue.ts",
    find: "return inflight < window && inflightBytes < INFLIGHT_BYTES_MAX;",
    replace: "return inflight - 1 < window && inflightBytes < INFLIGHT_BYTES_MAX;",
    seeds: 100,
  },
  {
    name: "forget incoming exchanges in a restart",
    file: "src/session/restore.ts",
    find: "of state.received) restoreIncoming(core, session, exchange);\n  session.received.restored",
    replace: "of state.received.slice(1)) restoreIncoming(core, session, exchange);\n  session.received.restored",
    seeds: 200,
  },
  {
    name: "publish the wills of all who were connected when an object starts",
    file: "src/session/lifecycle.ts",
    find: "scheduleWill(core, session, Math.max(RESTART_GRACE_MS, willDelayMs(session)));",
    replace: "scheduleWill(core, session, willDelayMs(session));",
    seeds: 100,
  },
  {
    name: "forget a will when memory is lost",
    file: "src/session/restore.ts",
    find: "    session.will = will;\n",
    replace: "",
    seeds: 200,
  },
  {
    name: "let a login last for ever",
    file: "src/session/connect.ts",
    find: "  watchLogin(core, connection);\n",
    replace: "",
    seeds: 200,
  },
  {
    name: "forget when a login ends when memory is lost",
    file: "src/session/restore.ts",
    find: "    watchLogin(core, connection);\n",
    replace: "",
    seeds: 400,
  },
  {
    name: "leave rights and end of a login as they were after AUTH",
    file: "src/session/rights.ts",
    find: "  setIdentity(core, session, identity);\n",
    replace: "",
    seeds: 400,
  },
  {
    name: "say of every filter without a look that nothing is retained for it",
    file: "src/routing/retained.ts",
    find: "for (const _topic of scanTopics(filter, cursor)) return false;",
    replace: "",
    seeds: 100,
  },
  {
    name: "forget what a will that is no connection's any more was",
    file: "src/session/restore.ts",
    find: "restOf(core, clientId, identity, will);\n      continue;",
    replace: "continue;",
    seeds: 100,
  },
  {
    name: "keep the older of two retained messages",
    file: "src/routing/retained.ts",
    find: "    this.#store.putRetained({ topic,",
    replace: "    if (this.#store.retained(topic) === undefined) this.#store.putRetained({ topic,",
    seeds: 100,
  },
  {
    name: "let go of what a member of a shared subscription was given",
    file: "src/session/deliver.ts",
    find: "  const { qos, ...due } = dueOfShare(session, message, filter);",
    replace:
      "  const { qos, ...due } = dueOfShare(session, message, filter);\n  if (session.connection === undefined && message.qos > 0) return true;",
    seeds: 200,
  },
  {
    name: "send what has expired",
    file: "src/session/send.ts",
    find: "return message.expiresAt !== 0 && message.expiresAt <= now;",
    replace: "return message.expiresAt > now + 1e12;",
    seeds: 200,
  },
  {
    name: "forget the subscriptions of clean sessions in hibernation",
    file: "src/session/restore-connections.ts",
    find: "  for (const { request, identifier } of attached.subscriptions) addSubscription",
    replace: "  for (const { request, identifier } of attached.subscriptions.slice(1)) addSubscription",
    seeds: 400,
  },
  {
    name: "bring back what a full queue dropped",
    file: "src/session/restore-deadlines.ts",
    find: "  keepWithinBounds(core, session, { messages: queueMessagesMax, bytes: queueBytesMax, short: false });\n",
    replace: "",
    seeds: 300,
  },
  {
    name: "forget in hibernation what was to be sent again",
    file: "src/session/restore.ts",
    find: "sent?.resending === false",
    replace: "sent !== undefined",
    seeds: 400,
  },
  {
    name: "take an exchange for settled that is not",
    file: "src/session/core.ts",
    find: "return this.openExchanges.keys().next().value ?? this.numbers.last + 1;",
    replace: "return this.numbers.last + 1;",
    seeds: 200,
  },
  {
    name: "go on after storage refused a write",
    file: "src/objects/guarded-store.ts",
    find: '          startAgain(object, state, error);\n          throw new StoreRefused("the storage refused a row");\n',
    replace: "          void startAgain;\n          void error;\n          return undefined;\n",
    seeds: 400,
  },
  {
    name: "let a fault at one client's message cost those who get it too",
    file: "src/session/deliver.ts",
    find: '      core.failures.caught(error, "giving it a message", session);\n      isFull',
    replace: "      throw error;\n      isFull",
    seeds: 100,
  },
  {
    name: "let a fault at one outcome keep others from theirs",
    file: "src/objects/topic-queue.ts",
    find: '      this.#faults.caught(error, "taking an outcome", request.client);',
    replace: "      throw error;",
    seeds: 100,
  },
  {
    name: "let a fault at one client's state keep others from being written",
    file: "src/session/rows.ts",
    find: '    core.failures.caught(error, "writing its state", session, true);',
    replace: "    throw error;",
    seeds: 100,
  },
  {
    name: "let a fault at one socket keep frames from others",
    file: "src/objects/flusher.ts",
    find: '      this.#clients.get(wire.socket)?.failed(error, "sending to it");',
    replace: "      throw error;",
    seeds: 100,
  },
  {
    name: "leave an exchange open that a fault has interrupted",
    file: "src/session/publish.ts",
    find: "    incoming.settled(IMPLEMENTATION_SPECIFIC_ERROR);\n  }\n}\n",
    replace: "  }\n}\n",
    seeds: 200,
  },
  {
    name: "answer for an object that is not reached",
    file: "src/edge/relay.ts",
    find: "      if (pings && !this.#pings.take(now)) {",
    replace: "      if (bytes[0]! >> 4 === DISCONNECT) continue;\n      if (pings && !this.#pings.take(now)) {",
    seeds: 200,
  },
  {
    name: "never end a session",
    file: "src/session/moved-copy.ts",
    find: "if (session.connection === undefined && session.expiresAt <= core.now) endHere(core, session);",
    replace: "",
    seeds: 100,
  },
  {
    name: "let somebody who is banned resume the session",
    file: "src/objects/directory-watch.ts",
    find: "    if (ban !== undefined) return banned(ban);\n",
    replace: "    void ban;\n",
    seeds: 300,
  },
  {
    name: "leave connections of those who are banned",
    file: "src/objects/directory-watch.ts",
    find: "if (connection !== undefined && news.bans !== undefined && ",
    replace: "if (connection === undefined && news.bans !== undefined && ",
    seeds: 100,
  },
  {
    name: "let a session go before its new owner subscribes for it",
    file: "src/objects/arrivals.ts",
    find: "if (session.cameFrom.length > 0) await this.#confirm(session);",
    replace: "",
    seeds: 600,
    reshaped: true,
  },
  {
    name: "take over what waits for a session before the old owner has all of it",
    file: "src/objects/arrivals.ts",
    find: "await this.#settled((ticket) => router.barrier(owner, ticket));",
    replace: "",
    seeds: 600,
    reshaped: true,
  },
  {
    name: "forget what a session that moved had before",
    file: "src/session/arrive.ts",
    find: "session.had.add([...state.had, ...last.had]);",
    replace: "",
    seeds: 600,
    reshaped: true,
  },
  {
    name: "ask no other Topic object for routes",
    file: "src/objects/adoption.ts",
    find: "this.#routing.adoptRoute(route);",
    replace: "void route;",
    seeds: 100,
    reshaped: true,
  },
  {
    name: "leave retained messages where they were",
    file: "src/objects/adoption.ts",
    find: "await this.#adoptRetained(peer, adopter);",
    replace: "",
    seeds: 200,
    reshaped: true,
  },
  {
    name: "tell a topic's own object of no filters with wildcards",
    file: "src/objects/names.ts",
    find: "return own === undefined || matches(filter, own);",
    replace: "return own === undefined;",
    seeds: 100,
  },
  {
    name: "leave what a topic had where it was when it gets an object of its own",
    file: "src/objects/names.ts",
    find: "[...earlier, { topicShards, topicsWithObject: [] }].map(",
    replace: "[].map(",
    seeds: 200,
    reshaped: true,
  },
  {
    name: "remember of a list only the topic that was given last",
    file: "src/objects/adoption.ts",
    find: "this.#store.putLineage(topicsText(adopter));",
    replace: "this.#store.putLineage(topicsText({ topicShards, topicsWithObject: [only] }));",
    seeds: 100,
    reshaped: true,
  },
  {
    name: "leave what a topic had in its own object when it has none any more",
    file: "src/objects/names.ts",
    find: ".filter((topic) => topicShard(settings, topic) === number)",
    replace: ".filter((topic) => topicShard(settings, topic) < 0)",
    seeds: 200,
    reshaped: true,
  },
  {
    name: "take for handled what a consumer's handler has not handled",
    file: "src/session/machine.ts",
    find: "if (isHandled) handled(this.#core, consumer);",
    replace: "if (isHandled || consumer.attempts < 2) handled(this.#core, consumer);",
    seeds: 100,
  },
  {
    name: "forget what waited for consumers in a restart",
    file: "src/session/consumer-rows.ts",
    find: "  if (sequence <= consumer.handledThrough) return false;\n",
    replace: "  if (sequence >= consumer.handledThrough) return false;\n",
    seeds: 100,
  },
  {
    name: "acknowledge a batch of a consumer before its handler has ended",
    file: "src/objects/consumers.ts",
    find: "    const problem = await this.#handle(options, batch);\n",
    replace:
      "    const handling = this.#handle(options, batch);\n    const problem = (await Promise.race([handling, undefined])) as string | undefined;\n",
    seeds: 200,
  },
];

/** A seed that failed. */
export interface Found {
  readonly seed: number;
  readonly problem: string;
  readonly output: string;
}

/** What a simulation needs of the repository. */
const PARTS = ["src", "test/simulation", "test/support", "scripts/test/simulate.ts", "package.json"];

/** A copy of the source that can be changed. */
export class Workbench {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<Workbench> {
    const folder = await mkdtemp(join(tmpdir(), "durable-mqtt-mutation-"));
    await mkdir(join(folder, "scripts/test"), { recursive: true });
    for (const part of PARTS) await cp(join(ROOT, part), join(folder, part), { recursive: true });
    await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
    return new Workbench(folder);
  }

  close(): Promise<void> {
    return rm(this.folder, { recursive: true });
  }

  /**
   * Runs seeds until one fails.
   * @param from the first of them
   * @returns that seed, its first problem and what was printed; undefined when none failed
   * @throws Error when the text to replace is not there exactly once
   */
  async run({ name, file, find, replace, seeds, reshaped }: Mutation, { shorten = false, from = 1 } = {}): Promise<Found | undefined> {
    const path = join(this.folder, file);
    const text = await readFile(path, "utf8");
    const found = text.split(find).length - 1;
    if (found !== 1) throw new Error(`"${name}": the text to replace is ${found} times in ${file}`);
    await writeFile(
      path,
      text.replace(find, () => replace),
    );
    try {
      const output = await simulate(this.folder, [
        ...(shorten ? [] : ["--whole"]),
        ...(reshaped ? ["--reshaped"] : []),
        "--seed",
        String(from),
        "--count",
        String(seeds),
      ]);
      const failed = /^seed (\d+), .*\n\s*(.*)$/m.exec(output);
      if (failed === null && !/ 0 failed$/m.test(output)) throw new Error(`"${name}": the simulation did not run: ${output}`);
      return failed === null ? undefined : { seed: Number(failed[1]), problem: failed[2]!, output };
    } finally {
      await writeFile(path, text);
    }
  }
}

/** @returns what it printed */
function simulate(folder: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ["scripts/test/simulate.ts", "--stop", ...args],
      { cwd: folder, timeout: 900_000, maxBuffer: 1 << 26 },
      (_error, stdout, stderr) => resolve(`${stdout}${stderr}`),
    );
  });
}
