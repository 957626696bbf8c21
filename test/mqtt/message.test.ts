/** Messages: made of PUBLISH and wills, sent in each version's form, and as records. */

import { describe, expect, test } from "vitest";
import { messageView } from "../../src/hooks/message-view.ts";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import {
  encodePublish,
  isUtf8Text,
  Message,
  type MessageFields,
  messageOfPublish,
  messageOfWill,
  type PublishOptions,
  readMessage,
  renamed,
  writeMessage,
} from "../../src/mqtt/message.ts";
import { type Properties, type ProtocolVersion, PUBLISH, type Publish } from "../../src/mqtt/packet.ts";
import { encodeProperties } from "../../src/mqtt/property.ts";
import { RecordError, RecordReader, RecordWriter } from "../../src/mqtt/record.ts";

const FROM = { publisher: "ada", origin: "object@1", sequence: 5, repeated: false, settledBelow: 3 };
const NOW = 1_800_000_000_000;
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

function message(fields: Partial<MessageFields> = {}): Message {
  return new Message({
    topic: "a/ä",
    qos: 1,
    retain: false,
    payload: utf8("payload"),
    propertyBytes: new Uint8Array(0),
    expiresAt: 0,
    ...FROM,
    ...fields,
  });
}

/** A PUBLISH as it arrives. */
function arrived(properties: Properties, fields: Partial<Publish> = {}, version: ProtocolVersion = 5): Publish {
  const packet: Publish = {
    type: PUBLISH,
    dup: true,
    qos: 2,
    retain: true,
    topic: "t",
    packetId: 9,
    properties,
    propertyBytes: new Uint8Array(0),
    payload: utf8("x"),
    ...fields,
  };
  return decodePacket(encodePacket(packet, version), version) as Publish;
}

function sent(of: Message, options: Partial<PublishOptions> = {}): Publish {
  const all = { version: 5, qos: 0, retain: false, dup: false, packetId: 0, now: NOW, ...options } as const;
  return decodePacket(encodePublish(of, all), all.version) as Publish;
}

test("a message that was read is written as the bytes it was read from, a changed one is not", () => {
  const writer = new RecordWriter();
  writeMessage(writer, message({ expiresAt: NOW, retain: true }));
  const bytes = writer.finish();
  const read = readMessage(new RecordReader(bytes));
  const again = new RecordWriter();
  writeMessage(again, read);
  expect(again.finish()).toEqual(bytes);
  const other = new RecordWriter();
  writeMessage(other, new Message({ ...read, origin: "other@1", sequence: 9 }));
  expect(readMessage(new RecordReader(other.finish()))).toMatchObject({ origin: "other@1", sequence: 9, topic: "a/ä" });
});

test("a renamed message says by which name its publisher may repeat it, however often it is renamed", () => {
  const name = { publisher: "p", repeated: false, settledBelow: 0 };
  const first = new Message({ ...message({}), origin: "n/client/a@b@7", sequence: 5, settledBelow: 3, repeated: true });
  const again = renamed(renamed(first, { ...name, origin: "n/session/1@8", sequence: 6 }), {
    ...name,
    origin: "n/session/2@9",
    sequence: 7,
  });
  const writer = new RecordWriter();
  writeMessage(writer, again);
  const read = readMessage(new RecordReader(writer.finish()));
  const formerly = { origin: "n/client/a@b@7", sequence: 5 };
  expect(read).toMatchObject({ origin: "n/session/2@9", sequence: 7, settledBelow: 0, repeated: false, formerly, topic: "a/ä" });
  expect(renamed(new Message({ ...message({}), settledBelow: 0 }), { ...name, origin: "n/session/1@8", sequence: 6 }).formerly).toBe(
    undefined,
  );
});

describe("of a PUBLISH", () => {
  const properties: Properties = {
    payloadFormatIndicator: 1,
    contentType: "text/plain",
    responseTopic: "r",
    correlationData: new Uint8Array([1, 0, 255]),
    userProperties: [
      ["b", "1"],
      ["a", "2"],
      ["b", "1"],
    ],
  };

  test("[MQTT5-3.3.2-4] [MQTT5-3.3.2-15] [MQTT5-3.3.2-16] [MQTT5-3.3.2-17] [MQTT5-3.3.2-18] [MQTT5-3.3.2-20] properties go through unaltered", () => {
    expect(sent(messageOfPublish(arrived(properties), "t", FROM, NOW)).properties).toEqual(properties);
  });

  test("[5.0/3.3.2.3.4/no-leak] [MQTT5-3.3.2-6] the publisher's alias stays behind, the expiry becomes a time", () => {
    const publish = arrived({ ...properties, topicAlias: 3, messageExpiryInterval: 10 }, { topic: "" });
    const made = messageOfPublish(publish, "the/topic", FROM, NOW);
    expect([made.topic, made.expiresAt]).toEqual(["the/topic", NOW + 10_000]);
    expect(sent(made, { now: NOW + 2500 }).properties).toEqual({ ...properties, messageExpiryInterval: 8 });
  });

  test("[5.0/3.3.2.3.3/absent] without an expiry none is added; an expiry of 0 is one", () => {
    expect(messageOfPublish(arrived({}), "t", FROM, NOW).expiresAt).toBe(0);
    expect(messageOfPublish(arrived({ messageExpiryInterval: 0 }), "t", FROM, NOW).expiresAt).toBe(NOW);
    expect(messageOfPublish(arrived({ messageExpiryInterval: 0xffff_ffff }), "t", FROM, NOW).expiresAt).toBe(NOW + 0xffff_ffff * 1000);
  });

  test("keeps QoS, RETAIN and its origin, not DUP and the Packet Identifier", () => {
    const made = messageOfPublish(arrived({}), "t", FROM, NOW);
    expect(made).toMatchObject({ qos: 2, retain: true, publisher: "ada", origin: "object@1", sequence: 5, repeated: false });
    expect(sent(made)).toMatchObject({ dup: false, packetId: 0, qos: 0, retain: false });
  });
});

test("[5.0/3.1.3.2/props] [5.0/3.1.3.2.4/will-expiry] of a will: its properties without the delay, its expiry from now", () => {
  const properties: Properties = { willDelayInterval: 60, messageExpiryInterval: 5, contentType: "c", userProperties: [["k", "v"]] };
  const made = messageOfWill({ qos: 1, retain: true, topic: "w", payload: utf8("gone"), properties }, FROM, NOW);
  expect(made).toMatchObject({ topic: "w", qos: 1, retain: true, expiresAt: NOW + 5000 });
  expect(sent(made).properties).toEqual({ messageExpiryInterval: 5, contentType: "c", userProperties: [["k", "v"]] });
});

describe("as PUBLISH", () => {
  test("[5.0/compat/props] 3.x gets its own form, without properties", () => {
    const made = message({ propertyBytes: encodeProperties({ contentType: "c" }, PUBLISH), expiresAt: NOW + 1000 });
    for (const version of [3, 4] as const) {
      const bytes = encodePublish(made, {
        version,
        qos: 1,
        retain: true,
        dup: true,
        packetId: 258,
        now: NOW,
        subscriptionIdentifiers: [1],
      });
      // Type and flags, Remaining Length, topic of four bytes, Packet Identifier, payload.
      expect([...bytes]).toEqual([0x3b, 15, 0, 4, 0x61, 0x2f, 0xc3, 0xa4, 1, 2, ...utf8("payload")]);
    }
  });

  test("[MQTT5-3.3.4-4] identifiers of all sizes come along in 5.0", () => {
    const identifiers = [1, 127, 128, 16_384, 2_097_152, 268_435_455];
    expect(sent(message(), { subscriptionIdentifiers: identifiers }).properties.subscriptionIdentifiers).toEqual(identifiers);
  });

  test("[MQTT5-3.3.2-6] the rest of its life in whole seconds, at least one", () => {
    const made = message({ expiresAt: NOW + 10_000 });
    const left = [0, 1, 999, 1000, 9000, 9001, 9999].map((ms) => sent(made, { now: NOW + ms }).properties.messageExpiryInterval);
    expect(left).toEqual([10, 10, 10, 9, 1, 1, 1]);
  });

  test("with a Topic Alias, and without the topic once it is known", () => {
    expect(sent(message(), { topicAlias: 515 })).toMatchObject({ topic: "a/ä", properties: { topicAlias: 515 } });
    expect(sent(message(), { topicAlias: 515, aliasKnown: true })).toMatchObject({ topic: "", properties: { topicAlias: 515 } });
  });

  test("with lengths of several bytes", () => {
    for (const length of [0, 120, 130, 16_400, 2_100_000]) {
      const made = message({
        payload: new Uint8Array(length),
        propertyBytes: encodeProperties({ correlationData: new Uint8Array(200) }, PUBLISH),
      });
      expect(sent(made, { qos: 2, packetId: 65_535 })).toMatchObject({ packetId: 65_535, qos: 2, topic: "a/ä" });
      expect(sent(made).payload.length).toBe(length);
    }
  });
});

describe("as a record", () => {
  const rewritten = (made: Message): Message => {
    const writer = new RecordWriter();
    writeMessage(writer, made);
    return readMessage(new RecordReader(writer.finish()));
  };

  test("comes back with everything", () => {
    for (const fields of [
      {},
      {
        qos: 2,
        retain: true,
        repeated: true,
        settledBelow: 1_800_000_000_000_000,
        expiresAt: NOW + 0xffff_ffff * 1000,
        sequence: Number.MAX_SAFE_INTEGER,
      },
      { qos: 0, topic: "\ufeff\u{1f600}", publisher: "", payload: new Uint8Array(0) },
      { propertyBytes: encodeProperties({ userProperties: [["a", "b"]] }, PUBLISH), payload: new Uint8Array(100_000) },
    ] as Partial<MessageFields>[]) {
      const before = message(fields);
      const after = rewritten(before);
      expect({ ...after }).toEqual({ ...before });
      expect([after.topicBytes, after.size]).toEqual([before.topicBytes, before.size]);
    }
  });

  test("that ends too early is a RecordError", () => {
    const writer = new RecordWriter();
    writeMessage(writer, message({ expiresAt: NOW }));
    const bytes = writer.finish();
    for (let length = 0; length < bytes.length; length += 1) {
      expect(() => readMessage(new RecordReader(bytes.slice(0, length)))).toThrow(RecordError);
    }
  });
});

test("its size counts the topic in bytes", () => {
  expect(message().size).toBe(4 + 7);
});

test("text is UTF-8 as the specification means it", () => {
  expect([utf8(""), utf8("ä\u{1f600}\ufeff"), new Uint8Array([0])].map(isUtf8Text)).toEqual([true, true, true]);
  expect([new Uint8Array([0xff]), new Uint8Array([0xc3]), new Uint8Array([0xed, 0xa0, 0x80])].map(isUtf8Text)).toEqual([
    false,
    false,
    false,
  ]);
});

describe("a message that is kept", () => {
  const MUCH = 1_000_000;

  /** The bytes at some place in far more. */
  function within(bytes: Uint8Array): Uint8Array {
    const much = new Uint8Array(MUCH);
    much.set(bytes, 1000);
    return much.subarray(1000, 1000 + bytes.length);
  }

  const bytesAround = ({ payload, propertyBytes, topicBytes, record }: Message): number[] =>
    [payload, propertyBytes, topicBytes, record ?? new Uint8Array(0)].map(({ buffer }) => buffer.byteLength);

  test("keeps nothing of what it came in, from a client or from another object, and is the same", () => {
    const properties = encodeProperties({ contentType: "text/plain" }, PUBLISH);
    const writer = new RecordWriter(64);
    writeMessage(writer, message({ propertyBytes: properties }));
    for (const kept of [
      message({ propertyBytes: within(properties), payload: within(utf8("payload")) }),
      message({ propertyBytes: within(properties), payload: within(utf8("")) }),
      readMessage(new RecordReader(within(writer.finish()))),
    ]) {
      const { payload, propertyBytes, topicBytes } = kept;
      const before = [payload, propertyBytes, topicBytes].map((bytes) => bytes.slice());
      const again = new RecordWriter(64);
      writeMessage(again, kept);
      kept.keep();
      expect(Math.max(...bytesAround(kept))).toBeLessThan(2000);
      expect([kept.payload, kept.propertyBytes, kept.topicBytes]).toEqual(before);
      const after = new RecordWriter(64);
      writeMessage(after, kept);
      expect(after.finish()).toEqual(again.finish());
    }
  });

  test("is copied only where that is worth it", () => {
    const payload = new Uint8Array(3000).subarray(10, 2900);
    const kept = message({ payload });
    kept.keep();
    expect(kept.payload).toBe(payload);
  });
});

test("what is left of a message's life is never more than can be said, though the clock is behind", () => {
  const longest = 0xffff_ffff;
  const of = message({ expiresAt: NOW + longest * 1000 });
  expect(sent(of, { now: NOW - 1 }).properties.messageExpiryInterval).toBe(longest);
  expect(messageView(of, NOW - 1).properties.messageExpiryInterval).toBe(longest);
});
