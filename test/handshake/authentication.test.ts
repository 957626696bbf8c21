/** The driver of a CONNECT's authentication with methods of its own: failures and delays that SCRAM does not have. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createAuth } from "../../src/auth/compose.ts";
import { type Accepted, Authentication } from "../../src/handshake/authentication.ts";
import { type Farewell, isFarewell } from "../../src/handshake/first-packet.ts";
import { unknownCaller } from "../../src/handshake/handover.ts";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { AUTH, CONNACK, type Packet } from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import { PLATFORM } from "../../src/runtime.ts";
import { type AuthenticationExchange, type AuthenticationStep, NOBODY } from "../../src/session/ports.ts";
import { parseSettings, type Settings } from "../../src/settings.ts";
import { connect, utf8 } from "../auth/support.ts";

const METHOD = "X-TEST";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** An authentication by a method whose answers are these; a string is one that says so and continues. */
function begin(answers: readonly (string | AuthenticationStep | Promise<AuthenticationStep>)[]) {
  const heard: string[] = [];
  const left = [...answers];
  const exchange: AuthenticationExchange = {
    async step(data) {
      heard.push(new TextDecoder().decode(data));
      const answer = left.shift()!;
      return typeof answer === "string" ? { kind: "continue", data: utf8(answer) } : answer;
    },
  };
  const stream = new PacketStream(1000);
  const sent: Packet[] = [];
  const properties = { authenticationMethod: METHOD, authenticationData: utf8("hello") };
  const authenticators = {
    authenticator: { authenticate: () => Promise.reject(new Error("not to be asked")) },
    enhanced: { methods: [METHOD], begin: (method: string) => (method === METHOD ? exchange : undefined) },
  };
  const packet = { ...connect("ada", "lovelace"), properties };
  const authentication = new Authentication({
    connect: packet,
    caller: unknownCaller("default"),
    authenticators,
    stream,
    limits: DEFAULT_LIMITS,
    runtime: PLATFORM,
    send: (bytes) => void sent.push(decodePacket(bytes, 5) as Packet),
  });
  const say = (text: string): void => {
    const data = { authenticationMethod: METHOD, authenticationData: utf8(text) };
    stream.push(encodePacket({ type: AUTH, reasonCode: 0x18, properties: data }, 5));
    authentication.wake();
  };
  return { authentication, heard, sent, say, stream };
}

/** Code and reason of the CONNACK in a farewell. */
function refusalOf(answer: Accepted | Farewell): unknown[] {
  if (!isFarewell(answer) || answer.bytes === undefined) throw new Error("a CONNACK was expected");
  const packet = decodePacket(answer.bytes, 5);
  return packet.type === CONNACK ? [packet.reasonCode, packet.properties.reasonString] : [];
}

const SUCCESS: AuthenticationStep = { kind: "success", identity: { ...NOBODY, userName: "ada" }, data: undefined };

test("who is known at once is let in at once: nobody waits for a promise", () => {
  const authentication = new Authentication({
    connect: connect(),
    caller: { ...unknownCaller("default"), address: "192.0.2.1" },
    authenticators: createAuth(parseSettings({ ALLOW_ANONYMOUS: "true" }) as Settings, PLATFORM, {
      fetch: () => Promise.reject(new Error("not to be asked")),
      directory: undefined,
      failed: () => {},
      tooManyFailed: () => {},
    }),
    stream: new PacketStream(1000),
    limits: DEFAULT_LIMITS,
    runtime: PLATFORM,
    send: () => {},
  });
  expect(authentication.run()).toEqual({ identity: { ...NOBODY, address: "192.0.2.1" }, authenticationData: undefined });
});

test("a method may take as many steps as it likes, also with answers that were there before they were asked for", async () => {
  const { authentication, heard, sent, say } = begin(["one", "two", "three", SUCCESS]);
  say("1");
  say("2");
  const run = authentication.run();
  await vi.advanceTimersByTimeAsync(1);
  say("3");
  expect(await run).toEqual({ identity: { ...NOBODY, userName: "ada" }, authenticationData: undefined });
  expect(heard).toEqual(["hello", "1", "2", "3"]);
  expect(
    sent.map((packet) => (packet.type === AUTH ? new TextDecoder().decode(packet.properties.authenticationData) : packet.type)),
  ).toEqual(["one", "two", "three"]);
  expect(vi.getTimerCount()).toBe(0);
});

test("a method that fails is an authentication service that is not available", async () => {
  expect(refusalOf(await begin([Promise.reject(new Error("secret detail"))]).authentication.run())).toEqual([
    0x88,
    "the authentication service is not available; try again",
  ]);
  const later = begin(["go on", Promise.reject(new Error("secret detail"))]);
  later.say("1");
  expect(refusalOf(await later.authentication.run())[0]).toBe(0x88);
  expect(vi.getTimerCount()).toBe(0);
});

test("a method that never answers is given up after PACKET_SECONDS_MAX", async () => {
  const { authentication } = begin([new Promise(() => {})]);
  const run = authentication.run();
  await vi.advanceTimersByTimeAsync(DEFAULT_LIMITS.packetSecondsMax * 1000);
  expect(refusalOf(await run)).toEqual([0x87, "the authentication was not finished within 10 s"]);
});

test("the time is for the whole exchange, not for each step; what was said in time counts", async () => {
  const { authentication, say, sent } = begin(["one", "two", "three"]);
  const run = authentication.run();
  for (let step = 0; step < 2; step += 1) {
    await vi.advanceTimersByTimeAsync(4000);
    say(String(step));
  }
  await vi.advanceTimersByTimeAsync(1999);
  expect(sent).toHaveLength(3);
  await vi.advanceTimersByTimeAsync(1);
  expect(refusalOf(await run)[0]).toBe(0x87);
});

test("a socket that is gone leaves no timer behind, and nothing is sent on it", async () => {
  let answer: (step: AuthenticationStep) => void = () => {};
  const { authentication, sent } = begin([
    new Promise((resolve) => {
      answer = resolve;
    }),
  ]);
  void authentication.run();
  authentication.cancel();
  expect(vi.getTimerCount()).toBe(0);
  answer({ kind: "continue", data: utf8("too late") });
  await vi.advanceTimersByTimeAsync(1);
  expect(sent).toEqual([]);
});
