/** Chapter 1 of MQTT 3.1.1: UTF-8 encoded strings. */

import { expect, it } from "vitest";
import { describeTopologies } from "../../support/brokers.ts";
import { textOf, unique } from "../../support/mqtt-client.ts";
import { field, rawConnect, rawPacket } from "../../support/raw-packet.ts";
import { expectEachCloses, expectEachRefused } from "./support.ts";

const ILL_FORMED: Readonly<Record<string, readonly number[]>> = {
  "overlong NUL": [0x61, 0xc0, 0x80],
  "overlong slash": [0xe0, 0x80, 0xaf],
  "surrogate D800": [0xed, 0xa0, 0x80],
  "surrogate DFFF": [0xed, 0xbf, 0xbf],
  "surrogate pair": [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
  "above U+10FFFF": [0xf4, 0x90, 0x80, 0x80],
  "lone continuation": [0x61, 0x80],
  "cut short": [0x61, 0xe2, 0x82],
  "byte FF": [0xff],
};
const WITH_NUL = { NUL: [0x61, 0x00, 0x62] };

type Place = (text: Uint8Array) => Uint8Array;

/** Where a client sends strings on an accepted connection, and in CONNECT. */
const PLACES: Readonly<Record<string, Place>> = {
  "Topic Name": (text) => rawPacket(0x30, text),
  "Topic Filter of SUBSCRIBE": (text) => rawPacket(0x82, [0, 1], text, [0]),
  "second Topic Filter of SUBSCRIBE": (text) => rawPacket(0x82, [0, 1], field("a"), [0], text, [0]),
  "Topic Filter of UNSUBSCRIBE": (text) => rawPacket(0xa2, [0, 1], text),
};
const CONNECT_PLACES: Readonly<Record<string, Place>> = {
  "Client Identifier": (text) => rawConnect({}, text),
  "Will Topic": (text) => rawConnect({ flags: 0x06 }, field("c"), text, field("")),
  "User Name": (text) => rawConnect({ flags: 0x82 }, field("c"), text),
};

function inEach(places: Readonly<Record<string, Place>>, texts: Readonly<Record<string, readonly number[]>>): Record<string, Uint8Array> {
  const packets: Record<string, Uint8Array> = {};
  for (const [where, place] of Object.entries(places)) {
    for (const [what, bytes] of Object.entries(texts)) packets[`${what} in ${where}`] = place(field(bytes));
  }
  return packets;
}

describeTopologies((broker) => {
  it("[MQTT311-1.5.3-1] [MQTT311-3.3.2-1] [MQTT311-3.8.3-1] [MQTT311-3.10.3-1] ill-formed UTF-8 in any string closes the connection", () =>
    expectEachCloses(broker, inEach(PLACES, ILL_FORMED)));

  it("[MQTT311-1.5.3-1] [MQTT311-3.1.3-4] [MQTT311-3.1.3-10] [MQTT311-3.1.3-11] ill-formed UTF-8 in CONNECT closes without CONNACK", () =>
    expectEachRefused(broker, inEach(CONNECT_PLACES, ILL_FORMED)));

  it("[MQTT311-1.5.3-2] [MQTT311-4.7.3-2] U+0000 in a Topic Name or Topic Filter closes the connection", () =>
    expectEachCloses(broker, inEach(PLACES, WITH_NUL)));

  it("[MQTT311-1.5.3-2] [MQTT311-3.1.3-4] U+0000 in a string of CONNECT closes without CONNACK", () =>
    expectEachRefused(broker, inEach(CONNECT_PLACES, WITH_NUL)));

  it("[MQTT311-1.5.3-3] EF BB BF is a character like any other: kept, compared and forwarded", async () => {
    const topic = unique();
    const plain = await broker.connect();
    await plain.subscribe(topic);
    const marked = await broker.connect();
    await marked.subscribe(`\ufeff${topic}`);
    await marked.publish(`\ufeff${topic}`, "with", { qos: 1 });
    const message = await marked.message();
    expect(message.topic).toBe(`\ufeff${topic}`);
    expect(Buffer.from(marked.rawOf(message)).indexOf(Buffer.from([0xef, 0xbb, 0xbf]))).toBe(4);
    await plain.publish(topic, "without", { qos: 1 });
    expect(textOf(await plain.message())).toBe("without");
    await plain.silence(marked);
    await marked.silence(plain);
  });

  it("[MQTT311-1.5.3-3] EF BB BF makes another Client Identifier", async () => {
    const clientId = unique("c");
    const first = await broker.connect({ clientId });
    await broker.connect({ clientId: `\ufeff${clientId}` });
    await first.silence();
    expect(first.isOpen).toBe(true);
  });

  it("[3.1.1/1.5.3/disallowed] control characters and non-characters, which MAY close the connection, are accepted and kept", async () => {
    const client = await broker.connect();
    for (const character of ["\u0001", "\u001f", "\u007f", "\u009f", "\ufdd0", "\uffff", "\u{1ffff}"]) {
      const topic = `${unique()}${character}x`;
      await client.subscribe(topic, { qos: 1 });
      await client.publish(topic, "", { qos: 1 });
      expect((await client.message()).topic).toBe(topic);
    }
  });
});
