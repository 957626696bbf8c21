/** MQTT 5.0, chapter 1.5: how data is represented. */

import { expect, it } from "vitest";
import { textOf, unique } from "../../support/mqtt-client.ts";
import { type Broker5, type Bytes, describe5, field, hex, raw, rawConnect, reaction, refusal, section, text } from "./support.ts";

const ILL_FORMED = {
  "a surrogate": [0x61, 0xed, 0xa0, 0x80],
  "the last surrogate": [0xed, 0xbf, 0xbf],
  "an overlong form": [0xc0, 0xaf],
  "a character that is cut off": [0x61, 0xe2, 0x82],
  "a lone continuation byte": [0x80],
  "a character above U+10FFFF": [0xf4, 0x90, 0x80, 0x80],
};

/** Every string that a client may send after CONNECT, with its packet around it. */
const STRINGS: Record<string, (content: readonly number[]) => Bytes> = {
  "the Topic Name": (content) => raw(0x30, field(content), "00"),
  "the Topic Filter of SUBSCRIBE": (content) => raw(0x82, "0001 00", field(content), "00"),
  "the Topic Filter of UNSUBSCRIBE": (content) => raw(0xa2, "0001 00", field(content)),
  "the Content Type": (content) => raw(0x30, field("t"), section(text(0x03, content))),
  "the Response Topic": (content) => raw(0x30, field("t"), section(text(0x08, content))),
  "the Reason String of PUBACK": (content) => raw(0x40, "0001 00", section(text(0x1f, content))),
  "the Reason String of DISCONNECT": (content) => raw(0xe0, "00", section(text(0x1f, content))),
  "the User Property's name in PUBLISH": (content) => raw(0x30, field("t"), section("26", field(content), field("v"))),
  "the User Property's value in SUBSCRIBE": (content) => raw(0x82, "0001", section("26", field("n"), field(content)), field("t"), "00"),
};

/** Every string of CONNECT. */
const CONNECT_STRINGS: Record<string, (content: readonly number[]) => Bytes> = {
  "the Client Identifier": (content) => rawConnect({ payload: [field(content)] }),
  "the User Name": (content) => rawConnect({ flags: 0x82, payload: [field(""), field(content)] }),
  "the Will Topic": (content) => rawConnect({ flags: 0x06, payload: [field(""), "00", field(content), field("")] }),
  "the Will's Content Type": (content) =>
    rawConnect({ flags: 0x06, payload: [field(""), section(text(0x03, content)), field("t"), field("")] }),
  "the Authentication Method": (content) => rawConnect({ properties: [text(0x15, content)] }),
  "the User Property's value": (content) => rawConnect({ properties: ["26", field("n"), field(content)] }),
};

/** The codes with which a content is refused, field by field. */
async function refusals(broker: Broker5, contents: readonly (readonly number[])[]): Promise<Record<string, number[]>> {
  const codes: Record<string, number[]> = {};
  for (const [name, build] of Object.entries(STRINGS)) {
    codes[name] = await Promise.all(contents.map((content) => reaction(broker, build(content))));
  }
  for (const [name, build] of Object.entries(CONNECT_STRINGS)) {
    codes[name] = await Promise.all(contents.map((content) => refusal(broker, build(content))));
  }
  return codes;
}

const allMalformed = (count: number): Record<string, number[]> =>
  Object.fromEntries([...Object.keys(STRINGS), ...Object.keys(CONNECT_STRINGS)].map((name) => [name, Array(count).fill(0x81)]));

describe5((broker) => {
  it("[MQTT5-1.5.4-1] [MQTT5-3.3.2-1] [MQTT5-3.3.2-13] [MQTT5-3.3.2-19] [MQTT5-3.8.3-1] [MQTT5-3.10.3-1] [MQTT5-3.1.3-4] [MQTT5-3.1.3-11] [MQTT5-3.1.3-12] refuses ill-formed UTF-8 in every string with 0x81", async () => {
    const contents = Object.values(ILL_FORMED);
    expect(await refusals(broker, contents)).toEqual(allMalformed(contents.length));
  });

  it("[MQTT5-1.5.4-2] [MQTT5-4.7.3-2] refuses U+0000 in every string with 0x81", async () => {
    expect(await refusals(broker, [[0], [0x61, 0, 0x62]])).toEqual(allMalformed(2));
  });

  it("[MQTT5-1.5.4-3] keeps EF BB BF as a character of topics, properties and Client Identifiers", async () => {
    const name = unique();
    const client = await broker.connect({ clientId: `\ufeff${name}` });
    const other = await broker.connect({ clientId: name });
    await client.subscribe(`\ufeff${name}`);
    await other.subscribe(name);
    await client.publish(`\ufeff${name}`, "with", {
      qos: 1,
      properties: { contentType: "\ufeffc", userProperties: [["\ufeff", "\ufeff"]] },
    });
    await client.publish(name, "without", { qos: 1 });
    const message = await client.message();
    expect(hex(client.rawOf(message).subarray(2, 7))).toBe("0010efbbbf");
    expect([message.topic, textOf(message)]).toEqual([`\ufeff${name}`, "with"]);
    expect(message.properties).toEqual({ contentType: "\ufeffc", userProperties: [["\ufeff", "\ufeff"]] });
    expect(textOf(await other.message())).toBe("without");
    await client.silence();
  });

  it("[5.0/1.5.4/disallowed] accepts control characters and non-characters in every string", async () => {
    const odd = "\u0001\u001f\u007f\u009f\ufdd0\uffff\u{1fffe}";
    const client = await broker.connect({ clientId: unique() + odd, userName: odd, properties: { userProperties: [[odd, odd]] } });
    const topic = `${unique()}/${odd}`;
    expect((await client.subscribe(topic)).reasonCodes).toEqual([0]);
    await client.publish(topic, "", { qos: 1, properties: { contentType: odd, responseTopic: odd, userProperties: [[odd, odd]] } });
    const message = await client.message();
    expect(message.topic).toBe(topic);
    expect(message.properties).toEqual({ contentType: odd, responseTopic: odd, userProperties: [[odd, odd]] });
  });

  it("[MQTT5-1.5.5-1] refuses a padded Variable Byte Integer wherever it stands", async () => {
    expect(await reaction(broker, "c08000")).toBe(0x81);
    expect(await reaction(broker, raw(0x30, field("t"), "8000"))).toBe(0x81);
    expect(await reaction(broker, raw(0x82, "0001", section("0b8100"), field("t"), "00"))).toBe(0x81);
    expect(await reaction(broker, raw(0x30, field("t"), section("810001")))).toBe(0x81);
    expect(await refusal(broker, raw(0x10, field("MQTT"), "05 02 0000 8000", field("")))).toBe(0x81);
  });

  it("[MQTT5-1.5.5-1] writes the shortest form on both sides of every boundary", async () => {
    const client = await broker.connect();
    const topic = unique();
    await client.subscribe(topic);
    const around = 2 + topic.length + 1;
    for (const [remainingLength, lengthBytes] of [
      [127, 1],
      [128, 2],
      [16_383, 2],
      [16_384, 3],
    ]) {
      await client.publish(topic, new Uint8Array(remainingLength! - around), { qos: 1 });
      const message = await client.message();
      expect(client.rawOf(message).length).toBe(1 + lengthBytes! + remainingLength!);
    }
  });

  it("[5.0/1.5.5/five-bytes] closes at once when a fifth length byte is announced", async () => {
    expect(await reaction(broker, "3080808080")).toBe(0x81);
    expect(await reaction(broker, "82ffffffff")).toBe(0x81);
    expect(await reaction(broker, raw(0x30, field("t"), "80808080"))).toBe(0x81);
    const client = await broker.open();
    client.sendBytes("10ffffffff");
    await client.closed;
  });

  it("[MQTT5-1.5.7-1] refuses a User Property whose name or value is not UTF-8 or is missing", async () => {
    for (const property of [
      ["26", field([0xff]), field("v")],
      ["26", field("n"), field([0xff])],
      ["26", field("n")],
    ]) {
      expect(await reaction(broker, raw(0x30, field("t"), section(...property)))).toBe(0x81);
      expect(await reaction(broker, raw(0xa2, "0001", section(...property), field("t")))).toBe(0x81);
      expect(await refusal(broker, rawConnect({ properties: property }))).toBe(0x81);
    }
  });
});
