/** What sessions, connections and wills are as bytes: round trips, and what becomes of bytes that are foreign or damaged. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Ledger } from "../../src/ledger.ts";
import { RecordError } from "../../src/mqtt/record.ts";
import { decodeAttachment } from "../../src/session/attachment.ts";
import { type Identity, NOBODY } from "../../src/session/ports.ts";
import { decodePage, encodePage } from "../../src/session/received.ts";
import { Session } from "../../src/session/session.ts";
import {
  decodeSessionState,
  decodeWill,
  encodeSessionState,
  encodeWill,
  subscriptionOptions,
  subscriptionRequest,
} from "../../src/session/state.ts";
import { ATTACHMENT_BYTES_MAX } from "../../src/storage-limits.ts";
import { utf8, World } from "../support/core-harness.ts";

const WHO: Identity = { userName: "ädá", address: "2001:db8::1", grants: '{"acl":[]}', expiresAt: 1_800_000_000_321 };

function session(identity: Identity = NOBODY): Session {
  return new Session("client", 7, identity, new Ledger(1 << 30));
}

describe("a session", () => {
  test("comes back with its times, identity, numbers and exchanges", () => {
    const before = session(WHO);
    before.expirySeconds = 4_294_967_295;
    before.expiresAt = 1_800_000_000_123;
    before.nextPacketId = 65_535;
    before.handledThrough = 1_800_000_000_000_000;
    before.released.add(9).add(3);
    before.received.set(5, {
      packetId: 5,
      qos: 2,
      sequence: 1_800_000_000_000_001,
      begunAt: undefined,
      handedOn: true,
      reasonCode: undefined,
      settled: () => {},
    });
    before.received.set(6, { packetId: 6, qos: 2, sequence: 4, begunAt: undefined, handedOn: true, reasonCode: 0, settled: () => {} });
    expect(decodeSessionState(encodeSessionState(before, 1_800_000_000_000_777))).toMatchObject({
      lastNumber: 1_800_000_000_000_777,
      expirySeconds: 4_294_967_295,
      expiresAt: 1_800_000_000_123,
      identity: WHO,
      nextPacketId: 65_535,
      handledThrough: 1_800_000_000_000_000,
      sent: [],
      released: [9, 3],
      received: [
        { packetId: 5, sequence: 1_800_000_000_000_001, settled: false },
        { packetId: 6, sequence: 4, settled: true },
      ],
    });
  });

  test("an anonymous user is not a user without a name, and never is a time", () => {
    const anonymous = session();
    anonymous.expiresAt = Number.POSITIVE_INFINITY;
    expect(decodeSessionState(encodeSessionState(anonymous, 0))).toMatchObject({
      identity: NOBODY,
      expiresAt: Number.POSITIVE_INFINITY,
    });
    const unnamed = { ...NOBODY, userName: "" };
    expect(decodeSessionState(encodeSessionState(session(unnamed), 0))).toMatchObject({ identity: unnamed, expiresAt: 0 });
  });
});

test("an attachment says everything that hibernation must not lose of a clean session", () => {
  const world = new World({ limits: { inflightMax: 2 } });
  const client = world.connect("cläent", {
    keepAliveSeconds: 65_535,
    properties: { receiveMaximum: 7, maximumPacketSize: 12_345, requestProblemInformation: 0 },
    userName: "ada",
    relayed: true,
  });
  client.subscribe("a/+", 2, { noLocal: true, retainAsPublished: true, retainHandling: 2, identifier: 99 });
  const publisher = world.connect("p");
  for (const qos of [1, 2, 1] as const) publisher.publish("a/b", "x", { qos });
  client.publish("u", "x", { qos: 2, packetId: 44 });
  expect(decodeAttachment(client.wire.attachment!)).toMatchObject({
    clientId: "cläent",
    sessionNumber: 0,
    facts: {
      version: 5,
      keepAliveSeconds: 65_535,
      receiveMaximum: 7,
      packetBytesMax: 12_345,
      problemInformation: false,
      relayed: true,
    },
    lastSeenAt: world.now,
    connectedAt: world.now,
    session: {
      identity: { userName: "ada" },
      sent: [
        { packetId: 1, qos: 1 },
        { packetId: 2, qos: 2 },
      ],
      received: [{ packetId: 44, settled: true }],
    },
    subscriptions: [{ request: { filter: "a/+", qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 2 }, identifier: 99 }],
  });
});

test("the attachment of a plain 3.1.1 client is small", () => {
  const world = new World();
  const client = world.connect("client-1", { version: 4 });
  client.subscribe("sensors/1/temperature", 1);
  const { facts } = decodeAttachment(client.wire.attachment!);
  expect(facts).toMatchObject({ version: 4, packetBytesMax: Number.POSITIVE_INFINITY, problemInformation: true, relayed: false });
  expect(client.wire.attachment!.length).toBeLessThan(100);
});

test("a clean session that outgrows its attachment lives on in rows while its connection lasts, and leaves none", () => {
  const world = new World({ limits: { subscriptionsMax: 1000 } });
  const node = world.sessions[0]!;
  const client = world.connect("c");
  const filters = [...Array(400).keys()].map((number) => `a/rather/long/filter/to/fill/the/attachment/${number}`);
  for (const filter of filters) client.subscribe(filter, 1);
  expect(client.wire.attachment!.length).toBeLessThanOrEqual(ATTACHMENT_BYTES_MAX);
  expect(node.store.subscriptions().length).toBe(400);
  client.take();
  node.hibernate();
  const publisher = world.connect("p");
  publisher.publish(filters[0]!, "first", { qos: 1 });
  publisher.publish(filters[399]!, "last", { qos: 1 });
  const messages = client.messages();
  expect(messages.map(({ topic }) => topic)).toEqual([filters[0], filters[399]]);
  // In hibernation acknowledgements are not forgotten either.
  node.hibernate();
  client.puback(messages[0]!.packetId);
  expect(client.connection.session.inflight).toBe(1);
  client.lose();
  expect([node.store.sessions(), node.store.subscriptions()]).toEqual([[], []]);
  expect(world.connect("c", { clean: false }).connack.sessionPresent).toBe(false);
});

test("a will comes back with its properties and the time it is due", () => {
  const will = {
    qos: 2,
    retain: true,
    topic: "w/ä",
    payload: new Uint8Array([0, 255]),
    properties: {
      willDelayInterval: 5,
      messageExpiryInterval: 9,
      correlationData: new Uint8Array([1, 2]),
      userProperties: [
        ["b", "1"],
        ["a", "2"],
      ] as const,
    },
  } as const;
  for (const dueAt of [0, 1_800_000_000_000]) {
    for (const inGrace of [false, true])
      expect(decodeWill(encodeWill({ will, dueAt, inGrace }, WHO))).toEqual({ will, dueAt, inGrace, identity: WHO });
  }
});

test("all options of a subscription fit the byte of SUBSCRIBE", () => {
  for (let options = 0; options < 0x30; options += 1) {
    if ((options & 3) === 3) continue;
    const request = subscriptionRequest("f", options);
    expect([request.filter, subscriptionOptions(request)]).toEqual(["f", options]);
  }
});

/** Exchanges of two origins. */
function page(): Uint8Array {
  const exchange = { qos: 2, handedOn: true, reasonCode: 0, settled: () => {} } as const;
  return encodePage([
    { ...exchange, packetId: 1, sequence: 2, begunAt: undefined },
    { ...exchange, packetId: 3, sequence: 4, begunAt: "n/session/5" },
  ]);
}

describe("foreign bytes", () => {
  const bytes = (): Uint8Array[] => {
    const world = new World();
    const client = world.connect("c", { properties: { sessionExpiryInterval: 10 }, will: { topic: "w", payload: utf8("x") } });
    return [encodeSessionState(client.connection.session, 5), client.wire.attachment!, world.sessions[0]!.store.wills()[0]!.will, page()];
  };
  const decoders = [decodeSessionState, decodeAttachment, decodeWill, decodePage];

  test("of another version are refused by name", () => {
    for (const [index, original] of bytes().entries()) {
      const foreign = original.slice();
      foreign[0] = 9;
      expect(() => decoders[index]!(foreign)).toThrow(/version 9/);
      expect(() => decoders[index]!(foreign)).toThrow(RecordError);
    }
  });

  test("an attachment with a flag of a later build is refused by name: what follows may not be what is expected", () => {
    const original = bytes()[1]!;
    const problems = [...original.keys()].map((at) => {
      const foreign = original.slice();
      foreign[at]! |= 64;
      try {
        decodeAttachment(foreign);
        return "";
      } catch (error) {
        return (error as Error).message;
      }
    });
    expect(problems.filter((problem) => problem.includes("flags"))).toHaveLength(1);
  });

  test("that end too early are a RecordError wherever they end, and nothing else", () => {
    for (const [index, original] of bytes().entries()) {
      for (let length = 0; length < original.length; length += 1) {
        expect(() => decoders[index]!(original.slice(0, length))).toThrow(RecordError);
      }
    }
  });

  test("of any kind either decode or are a RecordError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(3), (noise, index) => {
        try {
          decoders[index]!(new Uint8Array([1 + (noise.length % 4), ...noise]));
        } catch (error) {
          expect(error).toBeInstanceOf(RecordError);
        }
      }),
      { numRuns: 2000, seed: 1 },
    );
  });

  test("cost their own session or message: the others are restored", () => {
    const world = new World();
    const durable = { clean: false, properties: { sessionExpiryInterval: 1000 } };
    for (const clientId of ["a", "b"]) {
      const client = world.connect(clientId, { ...durable, will: { topic: `w/${clientId}` } });
      client.subscribe("t", 1);
    }
    const node = world.sessions[0]!;
    const [first] = node.store.sessions();
    node.store.putSession({ ...first!, state: new Uint8Array([77]) });
    node.store.putWill({ clientId: "a", will: new Uint8Array([1]) });
    node.crash();
    expect(node.problems).toEqual([
      expect.stringMatching(/^session row \d+: a session of version 77, where 1, 2, 3, 4, 5 was expected$/),
      expect.stringMatching(/^will of "a": the record ends/),
    ]);
    expect(world.connect("a", durable).connack.sessionPresent).toBe(false);
    expect(world.connect("b", durable).connack.sessionPresent).toBe(true);
  });

  test("in an attachment end that connection: its client comes back", () => {
    const world = new World();
    const client = world.connect("c");
    const other = world.connect("d");
    client.wire.attachment = new Uint8Array([1, 2, 3]);
    const node = world.sessions[0]!;
    node.hibernate();
    expect([client.closed?.code, other.closed]).toEqual([1012, undefined]);
    expect(node.problems).toEqual([expect.stringMatching(/^attachment of a client whose name/)]);
  });
});
