/** Enhanced authentication on connections that slept through their object's loss of memory, inside the Workers runtime. */

import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { SignJWT } from "jose/jwt/sign";
import { expect, test } from "vitest";
import { encodeHandover, HANDOVER_HEADER, type Handover } from "../../src/handshake/handover.ts";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { AUTH, CONNACK, CONNECT, type Connect, DISCONNECT, NO_PROPERTIES, type Packet, PINGREQ, PINGRESP } from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import type { Violation } from "../../src/mqtt/violation.ts";
import { NOBODY } from "../../src/session/ports.ts";
import { auth, CONTINUE, REAUTHENTICATE, USERS } from "../support/auth-packets.ts";
import { SCRAM_SHA_256, ScramClient } from "../support/scram-client.ts";

const JWT_SECRET = "a secret that is long enough for a HS256";

// Of this file alone: every test file has an isolate of its own, and objects read their settings when they are made.
Object.assign(env, { TOPOLOGY: "compact", USERS, JWT_SECRET, JWT_CLOCK_TOLERANCE: "0" });

/** A client at the end of a socket that an object accepted. */
class Peer {
  readonly #socket: WebSocket;
  readonly #stream = new PacketStream(Number.POSITIVE_INFINITY);
  readonly #inbox: (Packet | Violation)[] = [];
  #arrived: () => void = () => {};

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.accept();
    socket.addEventListener("message", ({ data }) => {
      this.#stream.push(new Uint8Array(data as ArrayBuffer));
      for (let bytes = this.#stream.next(); bytes instanceof Uint8Array; bytes = this.#stream.next()) {
        this.#inbox.push(decodePacket(bytes, 5));
      }
      this.#arrived();
    });
  }

  send(packet: Packet): void {
    this.#socket.send(encodePacket(packet, 5));
  }

  async next(): Promise<Packet | Violation> {
    while (this.#inbox.length === 0) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
    return this.#inbox.shift()!;
  }

  /** Answers the AUTH that comes next. */
  async answer(scram: ScramClient): Promise<void> {
    const challenge = await this.next();
    if (challenge.type !== AUTH) throw new Error(`AUTH was expected, type ${challenge.type} came`);
    this.send(auth(CONTINUE, await scram.final(challenge.properties.authenticationData)));
  }

  async reauthenticate(userName: string, password: string): Promise<Packet | Violation> {
    const scram = new ScramClient(userName, password);
    this.send(auth(REAUTHENTICATE, scram.first()));
    await this.answer(scram);
    return this.next();
  }
}

function objectOf(name: string): DurableObjectStub {
  return env.SESSIONS.get(env.SESSIONS.idFromName(`${name}/broker`));
}

/** A socket that the object took, as the Worker passes it on. */
async function open(object: DurableObjectStub, handover: Handover): Promise<Peer> {
  const headers = { Upgrade: "websocket", [HANDOVER_HEADER]: encodeHandover(handover) };
  const { webSocket } = await object.fetch("http://broker/mqtt", { headers });
  return new Peer(webSocket!);
}

function connect(properties: Connect["properties"]): Connect {
  return {
    type: CONNECT,
    version: 5,
    clean: true,
    keepAliveSeconds: 60,
    clientId: "sleeper",
    will: undefined,
    userName: undefined,
    password: undefined,
    properties,
  };
}

/** A client that the object itself let in by SCRAM. */
async function connected(object: DurableObjectStub): Promise<Peer> {
  const peer = await open(object, { relayed: false });
  const scram = new ScramClient("ada", "lovelace");
  peer.send(connect({ authenticationMethod: SCRAM_SHA_256, authenticationData: scram.first() }));
  await peer.answer(scram);
  const connack = await peer.next();
  expect(connack).toMatchObject({ type: CONNACK, reasonCode: 0, properties: { authenticationMethod: SCRAM_SHA_256 } });
  expect(connack.type === CONNACK && scram.verify(connack.properties.authenticationData)).toBe(true);
  return peer;
}

test("a connection keeps its method and user through hibernation: it re-authenticates, as itself only", async () => {
  const object = objectOf("kept");
  const peer = await connected(object);
  await evictDurableObject(object);
  expect(await peer.reauthenticate("ada", "lovelace")).toMatchObject({ type: AUTH, reasonCode: 0 });
  await evictDurableObject(object);
  expect(await peer.reauthenticate("bob", "builder")).toMatchObject({ type: DISCONNECT, reasonCode: 0x87 });
});

test("[MQTT5-4.12.1-1] after hibernation another method is a Protocol Error", async () => {
  const object = objectOf("other method");
  const peer = await connected(object);
  await evictDurableObject(object);
  peer.send(auth(REAUTHENTICATE, new ScramClient("ada", "lovelace").first(), { authenticationMethod: "SCRAM-SHA-1" }));
  expect(await peer.next()).toMatchObject({ type: DISCONNECT, reasonCode: 0x82 });
});

test("[MQTT5-4.12.1-2] after hibernation a wrong proof ends the connection", async () => {
  const object = objectOf("wrong proof");
  const peer = await connected(object);
  await evictDurableObject(object);
  expect(await peer.reauthenticate("ada", "wrong")).toMatchObject({ type: DISCONNECT, reasonCode: 0x87 });
});

test("a relay's client, whose first exchange the object never saw, re-authenticates after hibernation", async () => {
  const object = objectOf("relayed");
  const peer = await open(object, { relayed: true, admission: { ...NOBODY, userName: "ada" }, authenticationData: btoa("v=proof") });
  peer.send(connect({ authenticationMethod: SCRAM_SHA_256, authenticationData: new Uint8Array(1) }));
  const authenticationData = new TextEncoder().encode("v=proof");
  expect(await peer.next()).toMatchObject({ type: CONNACK, properties: { authenticationMethod: SCRAM_SHA_256, authenticationData } });
  await evictDurableObject(object);
  expect(await peer.reauthenticate("ada", "lovelace")).toMatchObject({ type: AUTH, reasonCode: 0 });
});

test("[MQTT5-4.12.0-7] a connection without a method has none after hibernation either", async () => {
  const object = objectOf("no method");
  const peer = await open(object, { relayed: true, admission: { ...NOBODY, userName: "ada" } });
  peer.send(connect(NO_PROPERTIES));
  expect(await peer.next()).toMatchObject({ type: CONNACK, reasonCode: 0 });
  await evictDurableObject(object);
  peer.send(auth(REAUTHENTICATE, new ScramClient("ada", "lovelace").first()));
  expect(await peer.next()).toMatchObject({ type: DISCONNECT, reasonCode: 0x82 });
});

test("an exchange that is under way keeps the object from forgetting it", async () => {
  const object = objectOf("under way");
  const peer = await connected(object);
  const scram = new ScramClient("ada", "lovelace");
  peer.send(auth(REAUTHENTICATE, scram.first()));
  const challenge = await peer.next();
  const evicted = evictDurableObject(object);
  if (challenge.type === AUTH) peer.send(auth(CONTINUE, await scram.final(challenge.properties.authenticationData)));
  expect(await peer.next()).toMatchObject({ type: AUTH, reasonCode: 0 });
  await evicted;
});

/** A token that allows all. @param ms from now on until it expires */
function tokenFor(userName: string, ms: number): Promise<string> {
  const claims = { sub: userName, is_superuser: true, exp: (Date.now() + ms) / 1000 };
  return new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(JWT_SECRET));
}

const tokenAuth = async (userName: string, ms: number) =>
  auth(REAUTHENTICATE, new TextEncoder().encode(await tokenFor(userName, ms)), { authenticationMethod: "JWT" });

/** A client that the object let in by a token. */
async function connectedByToken(object: DurableObjectStub, ms: number): Promise<Peer> {
  const peer = await open(object, { relayed: false });
  const authenticationData = new TextEncoder().encode(await tokenFor("ada", ms));
  peer.send(connect({ authenticationMethod: "JWT", authenticationData }));
  expect(await peer.next()).toMatchObject({ type: CONNACK, reasonCode: 0 });
  return peer;
}

const alarmOf = (object: DurableObjectStub) => runInDurableObject(object, (_object, { storage }) => storage.getAlarm());

test("a login by token ends when the token expires, though its object has slept since", async () => {
  const object = objectOf("token expires");
  const ends = Date.now() + 2000;
  const peer = await connectedByToken(object, 2000);
  await evictDurableObject(object);
  const expired = { type: DISCONNECT, reasonCode: 0x87, properties: { reasonString: "the login has expired" } };
  expect(await peer.next()).toMatchObject(expired);
  expect(Date.now()).toBeGreaterThanOrEqual(ends);
});

test("a fresh token in AUTH goes on after sleep, and its end holds after the next one", async () => {
  const object = objectOf("token fresh");
  const first = Date.now() + 2000;
  const peer = await connectedByToken(object, 2000);
  await evictDurableObject(object);
  peer.send(await tokenAuth("ada", 3600_000));
  expect(await peer.next()).toMatchObject({ type: AUTH, reasonCode: 0 });
  await evictDurableObject(object);
  // The alarm of the first end, and what it leaves for the second.
  await expect.poll(() => Date.now(), { timeout: 5000 }).toBeGreaterThan(first + 200);
  peer.send({ type: PINGREQ });
  expect(await peer.next()).toMatchObject({ type: PINGRESP });
  expect(await alarmOf(object)).toBeGreaterThan(first);
  peer.send(await tokenAuth("ada", -1000));
  expect(await peer.next()).toMatchObject({ type: DISCONNECT, reasonCode: 0x87, properties: { reasonString: "the token has expired" } });
});
