/** Messages of other Workers that wait for `onPublish`: what they weigh, and for how long. */

import { expect, test } from "vitest";
import { SERVICE_ASKED_BYTES_MAX, SERVICE_ASKED_MS_MAX } from "../../src/code-limits.ts";
import type { MessageToPublish } from "../../src/hooks/contract.ts";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import { MEMORY } from "../../src/memory-limits.ts";
import { QUOTA_EXCEEDED } from "../../src/mqtt/reason-code.ts";
import { ServicePublishing, type ServicePublishingOptions } from "../../src/objects/service-publishing.ts";
import type { PublishVerdict } from "../../src/session/ports.ts";

const REFUSED: PublishVerdict = { reasonCode: 0x83, reason: "no", isFault: false };

/** The code answers when it is told to. */
function publishing() {
  const asked: string[] = [];
  const answers: ((verdict: PublishVerdict) => void)[] = [];
  let now = 0;
  const askService = ({ topic }: { topic: string }): Promise<PublishVerdict> => {
    asked.push(topic);
    return new Promise((resolve) => answers.push(resolve));
  };
  const core = { ledger: { takes: () => true, add: () => {} }, counters: { messagesDropped: { refused: 0 } } };
  const options = { onPublish: { askService }, limits: DEFAULT_LIMITS, core: () => core, runtime: { now: () => now } };
  const service = new ServicePublishing(options as unknown as ServicePublishingOptions);
  return {
    service,
    asked,
    put: (message: MessageToPublish) => service.put(message, undefined),
    answer: () => answers.shift()!(REFUSED),
    pass: (ms: number) => {
      now += ms;
    },
  };
}

test.each<readonly [what: string, message: Omit<MessageToPublish, "topic">]>([
  ["nothing in them", { payload: "" }],
  ["a payload", { payload: "x".repeat(60_000) }],
  ["properties alone", { payload: "", properties: { userProperties: [["a", "x".repeat(60_000)]] } }],
  ["many properties alone", { payload: "", properties: { userProperties: Array.from({ length: 1000 }, () => ["a", "b"] as const) } }],
])("messages with %s are refused when what waits has its bytes", async (_what, message) => {
  const { put, service, answer } = publishing();
  const topic = "t".repeat(1000);
  const own = 60_000 * Number(message.payload !== "" || message.properties !== undefined);
  const least = MEMORY.messageBytes + topic.length + own;
  const most = Math.ceil(SERVICE_ASKED_BYTES_MAX / least) + 1;
  let refusedAt: number | undefined;
  const waiting: Promise<unknown>[] = [];
  for (let count = 0; count <= most && refusedAt === undefined; count += 1) {
    const each = put({ topic: `${topic}${count}`, ...message });
    const outcome = await Promise.race([each, new Promise<undefined>((resolve) => setImmediate(resolve, undefined))]);
    if (outcome === undefined) waiting.push(each);
    else {
      expect(outcome).toMatchObject({ reasonCode: QUOTA_EXCEEDED });
      refusedAt = count;
    }
  }
  expect(refusedAt).toBeDefined();
  for (const _each of waiting) answer();
  await Promise.all(waiting);
  expect(service.askedBytes).toBe(0);
});

test("of a message that has waited too long behind others of its topic the code is not asked any more", async () => {
  const { put, asked, answer, pass } = publishing();
  const [first, second, third] = ["a", "a", "a"].map((topic) => put({ topic, payload: "" }));
  await expect.poll(() => asked.length).toBe(1);
  answer();
  await first;
  pass(SERVICE_ASKED_MS_MAX);
  await expect.poll(() => asked.length).toBe(2);
  pass(1);
  answer();
  expect(await second).toMatchObject({ reasonCode: 0x83 });
  expect(await third).toMatchObject({ reasonCode: QUOTA_EXCEEDED, refusal: "it has waited too long for onPublish" });
  expect(asked).toEqual(["a", "a"]);
});
