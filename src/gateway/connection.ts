/**
 * One client: its first packet is read, a WebSocket to the broker is opened for it, and from then on bytes pass as they are, both ways, each
 * side read only as fast as the other takes them. When one side ends, so does the other: a connection to the broker is never made again behind
 * the client's back, for it would not be the session that the client believes it has.
 */

import type { Socket } from "node:net";
import WebSocket from "ws";
import type { Clock } from "../client/platform.ts";
import { concatenate, EMPTY_BYTES } from "../mqtt/bytes.ts";
import { NOT_AUTHORIZED, SERVER_BUSY, SERVER_UNAVAILABLE } from "../mqtt/reason-code.ts";
import { encodeRefusal, reasonCodeOf, SHUTTING_DOWN } from "./answers.ts";
import { type First, FirstPacket } from "./first-packet.ts";
import type { Journal } from "./journal.ts";
import {
  CHUNK_BYTES,
  LINGER_MS,
  OPENING_MS,
  UNFINISHED_BYTES_MAX,
  UNFINISHED_BYTES_SHORT,
  UNSENT_BYTES_HIGH,
  UNSENT_BYTES_LOW,
} from "./limits.ts";
import type { Metrics, Why } from "./metrics.ts";
import { Outgoing } from "./outgoing.ts";
import { PacketEdge } from "./packet-edge.ts";
import { Stall } from "./stall.ts";
import type { Turns } from "./turns.ts";
import { type Broker, openUpstream, type Peer } from "./upstream.ts";

/** What all connections of a gateway share. */
export interface Shared {
  readonly broker: Broker;
  readonly turns: Turns;
  readonly metrics: Metrics;
  readonly journal: Journal;
  readonly clock: Clock;
  /** What is held of clients for whom there is no way to the broker yet, all together. */
  readonly unfinished: { bytes: number };
}

export interface Client extends Peer {
  /** How long its CONNECT may still take. */
  readonly connectMs: number;
  /** Why its certificate does not let it in; undefined where it does, or where none is needed. */
  readonly problem?: string | undefined;
}

/** `ended`: nothing more is taken from the client; what is still to be said to it is on its way. */
type State = "first" | "opening" | "open" | "ended";

export class Connection {
  readonly #socket: Socket;
  readonly #client: Client;
  readonly #shared: Shared;
  readonly #outgoing: Outgoing;
  readonly #toBroker: Stall;
  readonly #edge = new PacketEdge();
  #state: State = "first";
  #reader: FirstPacket | undefined = new FirstPacket();
  /** What is held of it before there is a way to the broker. */
  #unfinishedBytes = 0;
  #first: First | undefined;
  /** What came behind that while the WebSocket was being opened. */
  #behind: Uint8Array[] = [];
  #hasEnded = false;
  #broker: WebSocket | undefined;
  #isHeld = false;
  #endTurn: (() => void) | undefined;
  #cancelPatience: (() => void) | undefined;

  /** @param socket a client whose bytes are MQTT from the first on */
  constructor(socket: Socket, client: Client, shared: Shared) {
    this.#socket = socket;
    this.#client = client;
    this.#shared = shared;
    this.#outgoing = new Outgoing(socket, shared.clock, {
      behind: () => this.#broker?.pause(),
      caughtUp: () => this.#broker?.resume(),
      stalled: () => this.#cut("stalled", "the client takes nothing"),
    });
    this.#toBroker = new Stall(shared.clock, () => this.#cut("stalled", "the broker takes nothing"));
    socket.on("data", this.#received);
    socket.once("end", () => this.#clientEnded());
    socket.once("close", () => this.#clientGone());
    // It is followed by "close", which does all there is to do.
    socket.on("error", () => {});
    this.#cancelPatience = shared.clock.after(client.connectMs, () => this.#cut("slow", "CONNECT did not come in time"));
  }

  readonly #received = (chunk: Buffer): void => {
    if (this.#state === "open") this.#passOn(chunk);
    else if (this.#state === "first") this.#readFirst(chunk);
    else if (this.#state === "opening") this.#keep(chunk);
  };

  #readFirst(chunk: Buffer): void {
    const first = this.#reader!.push(chunk);
    if (typeof first === "string") {
      this.#cut("protocol", first);
      return;
    }
    this.#hold(first?.bytes.length ?? this.#reader!.pendingBytes);
    if (first !== undefined) this.#begin(first);
    else if (this.#isTooMuch) this.#cut("full", "too much waits for the broker");
  }

  #hold(bytes: number): void {
    this.#shared.unfinished.bytes += bytes - this.#unfinishedBytes;
    this.#unfinishedBytes = bytes;
  }

  get #isTooMuch(): boolean {
    return this.#unfinishedBytes > UNFINISHED_BYTES_SHORT && this.#shared.unfinished.bytes > UNFINISHED_BYTES_MAX;
  }

  /** CONNECT is here: what comes behind it waits until the broker can be told. */
  #begin(first: First): void {
    this.#reader = undefined;
    this.#first = first;
    this.#state = "opening";
    this.#cancelPatience?.();
    const { problem } = this.#client;
    if (problem !== undefined) {
      this.#refuse("certificate", NOT_AUTHORIZED, problem);
      return;
    }
    if (!this.#hasRoom()) return;
    this.#cancelPatience = this.#shared.clock.after(OPENING_MS, () => this.#openedLate());
    this.#endTurn = this.#shared.turns.take(() => {
      this.#open(first.clientId).catch(() => this.#brokerGone("what is said of the client could not be signed"));
    });
  }

  #keep(chunk: Buffer): void {
    this.#behind.push(chunk);
    this.#hold(this.#unfinishedBytes + chunk.length + CHUNK_BYTES);
    this.#hasRoom();
  }

  /** Whether what is said while the WebSocket is being opened can be kept. Nothing is read of who has said much already. */
  #hasRoom(): boolean {
    if (this.#isTooMuch) {
      this.#refuse("full", SERVER_BUSY, "too much waits for the broker; try again");
      return false;
    }
    if (this.#unfinishedBytes > UNSENT_BYTES_HIGH) this.#socket.pause();
    return true;
  }

  #openedLate(): void {
    const isWaiting = this.#broker === undefined;
    this.#shared.journal.problem("the broker takes too long to be connected to");
    this.#refuse("unreachable", isWaiting ? SERVER_BUSY : SERVER_UNAVAILABLE, "the broker does not answer in time; try again");
  }

  async #open(clientId: string): Promise<void> {
    const { broker, clock } = this.#shared;
    const headers = await broker.headersOf(this.#client);
    if (this.#state !== "opening") return;
    this.#broker = openUpstream(
      { broker, clientId, headers, clock },
      {
        opened: () => this.#opened(),
        refused: (status) => this.#upgradeRefused(status),
        explained: (status, said) =>
          this.#shared.journal.problem(`the broker refuses connections (HTTP ${status})`, said === "" ? {} : { said }),
        received: (bytes) => this.#receivedOfBroker(bytes),
        closed: (problem) => this.#brokerGone(problem),
      },
    );
  }

  #opened(): void {
    if (this.#state !== "opening") return;
    const first = this.#first!;
    const said = concatenate([first.bytes, ...this.#behind]);
    this.#state = "open";
    this.#shared.metrics.open += 1;
    this.#settled();
    this.#shared.journal.connection("connected", { address: this.#client.address, client: first.clientId, user: this.#client.userName });
    this.#passOn(said);
    if (!this.#isHeld) this.#socket.resume();
    if (this.#hasEnded) this.#broker!.close();
  }

  #receivedOfBroker(bytes: Buffer | undefined): void {
    if (this.#state !== "open") return;
    if (bytes === undefined) {
      this.#cut("protocol", "the broker has sent a text");
      return;
    }
    this.#shared.metrics.bytesOut += bytes.length;
    this.#edge.push(bytes);
    this.#outgoing.write(bytes);
  }

  /** The way to the broker is open, or there is none: of what the client has said only what answers need is kept. */
  #settled(): void {
    this.#reader = undefined;
    this.#behind = [];
    this.#first &&= { ...this.#first, bytes: EMPTY_BYTES };
    this.#hold(0);
    this.#cancelPatience?.();
    this.#cancelPatience = undefined;
    this.#endTurn?.();
    this.#endTurn = undefined;
  }

  #passOn(bytes: Uint8Array): void {
    const broker = this.#broker!;
    this.#shared.metrics.bytesIn += bytes.length;
    broker.send(bytes, this.#sent);
    if (this.#isHeld || broker.bufferedAmount <= UNSENT_BYTES_HIGH) return;
    this.#isHeld = true;
    this.#socket.pause();
    this.#toBroker.moved();
  }

  /** The system has taken some of what was for the broker. */
  readonly #sent = (): void => {
    if (!this.#isHeld) return;
    if (this.#broker!.bufferedAmount > UNSENT_BYTES_LOW) {
      this.#toBroker.moved();
      return;
    }
    this.#isHeld = false;
    this.#toBroker.over();
    this.#socket.resume();
  };

  #upgradeRefused(status: number): void {
    const { broker } = this.#shared;
    // Its answer is still read, for the log.
    this.#broker = undefined;
    const isHandedOver = broker.handsOver && this.#first?.clientId !== "";
    const reasonCode = reasonCodeOf({ status, isHandedOver, isSigned: broker.isSigned });
    this.#refuse("refused", reasonCode, `the broker refused the connection (HTTP ${status})`);
  }

  /** Tells the client why there is no connection, where its version has a word for it. */
  #refuse(why: Why, reasonCode: number, sentence: string): void {
    if (this.#state === "ended") return;
    const { metrics, journal } = this.#shared;
    metrics.count(why);
    journal.connection("refused", { address: this.#client.address, client: this.#first?.clientId, why: sentence });
    const answer = this.#first && encodeRefusal(this.#first, reasonCode, sentence);
    if (answer !== undefined) this.#outgoing.write(answer);
    this.#broker?.terminate();
    this.#end();
  }

  /** The broker's side is over: what it has said still goes to the client, and then the end. */
  #brokerGone(problem: string | undefined): void {
    if (this.#state === "opening") {
      this.#shared.journal.problem("the broker cannot be reached", { problem });
      this.#refuse("unreachable", SERVER_UNAVAILABLE, "the broker cannot be reached; try again");
    } else this.#end();
  }

  /** The client has said all. The broker gets it all, and a Close: an end without DISCONNECT unless the client has sent one. */
  #clientEnded(): void {
    this.#hasEnded = true;
    if (this.#state === "open") this.#broker!.close();
    else if (this.#state === "first") this.#cut("protocol", "the client left before it was connected");
  }

  /** Takes nothing more of the client, and closes its side when all is said. */
  #end(): void {
    if (this.#state === "ended") return;
    if (this.#state === "open") this.#shared.metrics.open -= 1;
    this.#state = "ended";
    this.#settled();
    this.#toBroker.over();
    // Its end must be seen.
    this.#socket.resume();
    this.#outgoing.whenAllWritten(() => {
      this.#socket.end();
      if (!this.#socket.destroyed) this.#cancelPatience = this.#shared.clock.after(LINGER_MS, () => this.#socket.destroy());
    });
  }

  /** Ends both sides at once. */
  #cut(why: Why, reason: string): void {
    if (this.#socket.destroyed) return;
    this.#shared.metrics.count(why);
    this.#shared.journal.connection("cut", { address: this.#client.address, client: this.#first?.clientId, why: reason });
    this.#end();
    this.destroy();
  }

  /** Ends it in whatever state it is. */
  destroy(): void {
    this.#outgoing.drop();
    this.#broker?.terminate();
    this.#socket.destroy();
  }

  /** The client's socket is gone: reset, or ended from here, or both sides have said all. */
  #clientGone(): void {
    this.#end();
    this.#cancelPatience?.();
    this.#outgoing.drop();
    // A Close frame that is on its way goes behind all that the client has said, and its answer ends the WebSocket.
    if (this.#broker?.readyState !== WebSocket.CLOSING) this.#broker?.terminate();
    else if (this.#broker.isPaused) this.#broker.resume();
    this.#shared.journal.connection("closed", { address: this.#client.address, client: this.#first?.clientId });
  }

  /** The gateway stops: a client of 5.0 is told where it can be, between two packets; the broker learns that its client was lost. */
  shutDown(): void {
    if (this.#state === "ended") return;
    if (this.#state === "opening") {
      this.#refuse("shutdown", SERVER_UNAVAILABLE, "the gateway is stopping; try again");
      return;
    }
    this.#shared.metrics.count("shutdown");
    const isTold = this.#state === "open" && this.#first?.version === 5 && this.#edge.hasConnack && this.#edge.isBetween;
    if (isTold) this.#outgoing.write(SHUTTING_DOWN);
    if (this.#broker?.readyState === WebSocket.OPEN) this.#broker.close(1001);
    this.#end();
  }
}
