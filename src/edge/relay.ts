/**
 * The edge of a relayed connection: reads until CONNECT is whole, has the client introduced, opens a socket to its Session object
 * and from then on passes whole packets in both directions. It answers PINGREQ and enforces Keep Alive itself, so that neither wakes
 * an object; now and then it passes a PINGREQ on as a sign of life. It decides nothing else.
 */

import { type Farewell, isFarewell, readConnect, refused } from "../handshake/first-packet.ts";
import type { Handover } from "../handshake/handover.ts";
import type { Limits } from "../limits.ts";
import { EARLY_PACKETS_MAX, KEEP_ALIVE_FACTOR, LIVENESS_MS, RELAYED_PACKETS_MAX } from "../limits.ts";
import { framesOf } from "../mqtt/bytes.ts";
import { type Connect, DISCONNECT } from "../mqtt/packet.ts";
import { PacketStream } from "../mqtt/packet-stream.ts";
import {
  KEEP_ALIVE_TIMEOUT,
  MESSAGE_RATE_TOO_HIGH,
  PACKET_TOO_LARGE,
  QUOTA_EXCEEDED,
  SERVER_UNAVAILABLE,
  SUCCESS,
} from "../mqtt/reason-code.ts";
import { log } from "../objects/log.ts";
import type { Runtime, Timer } from "../runtime.ts";
import {
  CLOSE_GOING_AWAY,
  CLOSE_POLICY,
  CLOSE_PROTOCOL_ERROR,
  CLOSE_TOO_BIG,
  CLOSE_UNSUPPORTED_DATA,
  closeCodeOf,
  MEMORY_SHORT,
} from "../session/close-code.ts";
import { type ConnectionFacts, connectionFacts, effectiveKeepAliveSeconds, encodeFor } from "../session/connection-facts.ts";
import { AHEAD_PACKETS_MAX, FRAME_BYTES } from "../work-limits.ts";
import { HeldBytes } from "./held-bytes.ts";
import { Introduction, type IntroductionOptions } from "./introduction.ts";
import { isPing, Pings } from "./pings.ts";

/** A frame that comes this soon after one has been passed on waits for the end of the tick. */
const GATHER_MS = 1;

/** A socket as a Worker has it. */
export type RelayedSocket = Pick<WebSocket, "binaryType" | "accept" | "addEventListener" | "send" | "close">;

/** Opens a socket to the Session object of this name. */
export type Reach = (objectName: string, handover: Handover) => Promise<RelayedSocket>;

export interface RelayOptions extends IntroductionOptions {
  readonly reach: Reach;
}

/** Relays a socket from here on. */
export function relaySocket(socket: RelayedSocket, options: RelayOptions): void {
  // Binary frames would be Blobs since 2026-03-17.
  socket.binaryType = "arraybuffer";
  socket.accept();
  const relayed = new Relay(socket, options);
  socket.addEventListener("message", ({ data }) => relayed.receive(data));
  // One for both: an idle connection is to cost little.
  const gone = ({ code = 1006 }: Partial<CloseEvent>): void => relayed.clientGone(code);
  socket.addEventListener("close", gone);
  socket.addEventListener("error", gone);
}

class Relay {
  readonly #socket: RelayedSocket;
  /** Until CONNECT has come. */
  #options: RelayOptions | undefined;
  readonly #runtime: Runtime;
  readonly #limits: Limits;
  readonly #stream: PacketStream;
  /** Of a CONNECT that has not been passed on. */
  #connectBytes = 0;
  #object: RelayedSocket | undefined;
  #introduction: Introduction | undefined;
  #state: "first" | "connecting" | "open" | "ended" = "first";
  /** Of a 5.0 client. */
  #facts: ConnectionFacts | undefined;
  /** For the log. */
  #clientId = "";
  /** The object has spoken: before its CONNACK nothing may be sent to the client [MQTT5-3.2.0-1] [MQTT311-3.2.0-1]. */
  #answered = false;
  readonly #pings = new Pings();
  /** The client has said DISCONNECT: what it sends from then on is not looked at [MQTT5-3.14.4-1] [MQTT311-3.14.4-2]. */
  #left = false;
  #keepAliveMs = 0;
  #keepAlive: Timer | undefined;
  /** When its last whole packet came: a part of one is no sign of life [MQTT5-3.1.2-22]. */
  #lastSeenAt: number;
  #passedOnAt: number;
  /** Packets that came soon after others had been passed on, until the end of the tick. */
  #gathered: Uint8Array[] = [];
  #gathering: Timer | undefined;
  /** Runs while some of what came waits for the next tick. */
  #passing: Timer | undefined;
  #patience: Timer | undefined;
  readonly #held = new HeldBytes();

  constructor(socket: RelayedSocket, options: RelayOptions) {
    const { settings, runtime } = options;
    this.#socket = socket;
    this.#options = options;
    this.#runtime = runtime;
    this.#limits = settings.limits;
    this.#lastSeenAt = runtime.now();
    this.#passedOnAt = this.#lastSeenAt;
    this.#stream = new PacketStream(settings.limits.packetBytesMax);
    this.#await();
  }

  /** A frame from the client. */
  receive(data: ArrayBuffer | string | Blob): void {
    if (this.#state === "ended" || this.#left) return;
    if (!(data instanceof ArrayBuffer)) {
      // [MQTT5-6.0.0-1] [MQTT311-6.0.0-1]
      this.#end({ bytes: undefined, closeCode: CLOSE_UNSUPPORTED_DATA, closeReason: "MQTT needs binary frames" });
      return;
    }
    this.#stream.push(new Uint8Array(data));
    if (this.#state !== "open" && this.#ahead > EARLY_PACKETS_MAX * this.#limits.packetBytesMax) {
      this.#end({ bytes: undefined, closeCode: CLOSE_POLICY, closeReason: "too much came before the answer to CONNECT" });
      return;
    }
    if (this.#state === "first") this.#readConnect();
    else if (this.#state === "open") this.#passOnInTurn();
    else this.#introduction?.wake();
    this.#await();
    this.#count();
    if (this.#held.isTooMuch(this.#state !== "open", this.#runtime.now()))
      this.#farewell(QUOTA_EXCEEDED, MEMORY_SHORT, closeCodeOf(QUOTA_EXCEEDED));
  }

  #count(): void {
    this.#held.count(this.#state === "ended" ? 0 : this.#ahead, this.#runtime.now());
  }

  /** What waits, with what it costs beside its bytes. */
  get #ahead(): number {
    return this.#connectBytes + this.#stream.pendingBytes + this.#stream.pendingChunks * FRAME_BYTES;
  }

  /** Passes on what a tick may have. */
  #passOnInTurn(): void {
    if (this.#passing === undefined) this.#passOn();
    if (this.#passing !== undefined && this.#ahead > AHEAD_PACKETS_MAX * this.#limits.packetBytesMax)
      this.#farewell(QUOTA_EXCEEDED, "more has come than can be passed on", closeCodeOf(QUOTA_EXCEEDED));
  }

  /** The socket closed: what had come before is no longer waited with. */
  #passOnAll(): void {
    while (this.#passing !== undefined) {
      this.#passing.cancel();
      this.#passing = undefined;
      this.#passOn();
    }
  }

  #passOnLater(): void {
    this.#passing = this.#runtime.after(0, () => {
      this.#passing = undefined;
      this.#passOn();
      this.#await();
      this.#count();
    });
  }

  #readConnect(): void {
    const bytes = this.#stream.next();
    if (bytes === undefined) return;
    const connect = readConnect(bytes, this.#limits);
    if (isFarewell(connect)) {
      this.#end(connect);
      return;
    }
    this.#state = "connecting";
    this.#connectBytes = (bytes as Uint8Array).length;
    void this.#connect(connect, bytes as Uint8Array);
  }

  async #connect(connect: Connect, bytes: Uint8Array): Promise<void> {
    const options = this.#options!;
    this.#options = undefined;
    // Others are never told anything by a packet.
    if (connect.version === 5) this.#facts = connectionFacts(connect, true);
    this.#stream.version = connect.version;
    try {
      this.#introduction = new Introduction(options, connect, this.#stream, (packet) => this.#send(packet));
      const introduced = await this.#introduction.run();
      this.#introduction = undefined;
      if (this.#state === "ended") return;
      if (isFarewell(introduced)) {
        this.#end(introduced);
        return;
      }
      const { clientId, objectName, handover } = introduced;
      this.#clientId = clientId;
      this.#open(await options.reach(objectName, handover), connect, bytes);
    } catch {
      this.#end(refused({ reasonCode: SERVER_UNAVAILABLE, message: "the broker is not available; try again" }, connect));
    }
  }

  #open(object: RelayedSocket, connect: Connect, bytes: Uint8Array): void {
    object.binaryType = "arraybuffer";
    object.accept();
    if (this.#state === "ended") {
      // The client left while its object was being reached.
      object.close(CLOSE_GOING_AWAY, "");
      return;
    }
    this.#object = object;
    object.addEventListener("message", ({ data }) => {
      this.#send(data);
      if (this.#answered) return;
      this.#answered = true;
      if (!isAccepted(new Uint8Array(data as ArrayBuffer))) return;
      this.#answerPings();
    });
    const gone = ({ code = CLOSE_GOING_AWAY, reason = "" }: Partial<CloseEvent>): void => this.#objectGone(code, reason);
    object.addEventListener("close", gone);
    object.addEventListener("error", gone);
    object.send(bytes);
    this.#connectBytes = 0;
    this.#state = "open";
    this.#lastSeenAt = this.#runtime.now();
    this.#keepAliveMs = effectiveKeepAliveSeconds(connect, this.#limits) * 1000 * KEEP_ALIVE_FACTOR;
    this.#watch();
    this.#passOn();
    this.#await();
    this.#count();
  }

  /** Passes on the whole packets that are here but PINGREQ: that is answered here, behind CONNACK. */
  #passOn(): void {
    const packets: Uint8Array[] = [];
    const now = this.#runtime.now();
    let left = RELAYED_PACKETS_MAX;
    for (let bytes = this.#stream.next(); bytes !== undefined; bytes = this.#stream.next()) {
      // The next packet has its own time.
      this.#patience?.cancel();
      this.#patience = undefined;
      if (!(bytes instanceof Uint8Array)) {
        this.#forward(packets);
        if (bytes.reasonCode === PACKET_TOO_LARGE) log("packet too large", { client: this.#clientId, problem: bytes.message });
        this.#farewell(bytes.reasonCode, bytes.message, bytes.reasonCode === PACKET_TOO_LARGE ? CLOSE_TOO_BIG : CLOSE_PROTOCOL_ERROR);
        return;
      }
      this.#lastSeenAt = now;
      const pings = isPing(bytes);
      if (pings && !this.#pings.take(now)) {
        this.#forward(packets);
        this.#farewell(MESSAGE_RATE_TOO_HIGH, "the client pings more often than it may", closeCodeOf(MESSAGE_RATE_TOO_HIGH));
        return;
      }
      if (!pings || this.#lastSeenAt - this.#passedOnAt >= LIVENESS_MS) packets.push(bytes);
      if (bytes[0]! >> 4 === DISCONNECT) {
        this.#left = true;
        break;
      }
      left -= 1;
      if (left === 0) {
        this.#passOnLater();
        break;
      }
    }
    this.#answerPings();
    this.#forward(packets);
  }

  /** Behind CONNACK. */
  #answerPings(): void {
    const answers = this.#answered ? this.#pings.answers() : undefined;
    if (answers !== undefined) this.#send(answers);
  }

  /** At once, or right after another frame with all that come in the same tick, as few frames: they are what costs. */
  #forward(packets: readonly Uint8Array[]): void {
    if (packets.length === 0) return;
    this.#gathered.push(...packets);
    if (this.#lastSeenAt - this.#passedOnAt > GATHER_MS) this.#flush();
    else this.#gathering ??= this.#runtime.after(0, this.#flushLate);
  }

  readonly #flushLate = (): void => {
    this.#gathering = undefined;
    this.#flush();
  };

  #flush(): void {
    this.#gathering?.cancel();
    this.#gathering = undefined;
    if (this.#gathered.length === 0 || this.#object === undefined) return;
    const frames = framesOf(this.#gathered);
    this.#gathered = [];
    this.#passedOnAt = this.#lastSeenAt;
    try {
      for (const frame of frames) this.#object.send(frame);
    } catch {
      // The object's socket closed; its close event ends the relay.
    }
  }

  #send(data: ArrayBuffer | ArrayBufferView | string | Blob): void {
    try {
      this.#socket.send(data as ArrayBuffer);
    } catch {
      // The client's socket closed; its close event ends the relay.
    }
  }

  /** Ends the connection when nothing came for one and a half times the Keep Alive [MQTT5-3.1.2-22] [MQTT311-3.1.2-24]. */
  #watch(): void {
    if (this.#keepAliveMs === 0 || this.#state === "ended") return;
    const left = this.#lastSeenAt + this.#keepAliveMs - this.#runtime.now();
    if (left <= 0) {
      this.#farewell(KEEP_ALIVE_TIMEOUT, "no packet within one and a half times the Keep Alive", CLOSE_POLICY);
      return;
    }
    this.#keepAlive = this.#runtime.after(left, () => this.#watch());
  }

  /** The connection is in error here at the edge: a 5.0 client hears why; the object learns that its client was lost. */
  #farewell(reasonCode: number, message: string, closeCode: number): void {
    // [MQTT5-3.14.0-1]
    const told = this.#answered ? this.#facts : undefined;
    const bytes = told && encodeFor({ type: DISCONNECT, reasonCode, properties: { reasonString: message } }, told);
    this.#end({ bytes, closeCode, closeReason: message });
  }

  #end({ bytes, closeCode, closeReason }: Farewell): void {
    if (bytes !== undefined) this.#send(bytes);
    this.#flush();
    this.#finish();
    close(this.#socket, closeCode, closeReason);
    if (this.#object !== undefined) close(this.#object, CLOSE_GOING_AWAY, "");
  }

  /** The client's socket closed. Its Close frame is answered at once; the object decides about the will. */
  clientGone(code: number): void {
    if (this.#state === "ended") return;
    this.#passOnAll();
    this.#flush();
    this.#finish();
    close(this.#socket, code === 1005 || code === 1006 ? 1000 : code, "");
    if (this.#object !== undefined) close(this.#object, CLOSE_GOING_AWAY, "");
  }

  #objectGone(code: number, reason: string): void {
    if (this.#state === "ended") return;
    this.#finish();
    close(this.#socket, code === 1005 || code === 1006 ? CLOSE_GOING_AWAY : code, reason);
    if (this.#object !== undefined) close(this.#object, 1000, "");
  }

  #finish(): void {
    this.#state = "ended";
    this.#count();
    this.#introduction?.cancel();
    this.#keepAlive?.cancel();
    this.#gathering?.cancel();
    this.#passing?.cancel();
    this.#passing = undefined;
    this.#patience?.cancel();
  }

  /** Gives an incomplete packet, or a CONNECT that has not come, its time [5.0/3.1.4/timeout] [3.1.1/3.1.4/timeout]. */
  #await(): void {
    const incomplete = this.#state === "first" || (this.#state === "open" && this.#passing === undefined && this.#stream.pendingBytes > 0);
    if (!incomplete) {
      this.#patience?.cancel();
      this.#patience = undefined;
      return;
    }
    const { packetSecondsMax } = this.#limits;
    this.#patience ??= this.#runtime.after(packetSecondsMax * 1000, () => {
      const what = this.#state === "first" ? "CONNECT did not come" : "a packet was not finished";
      this.#end({ bytes: undefined, closeCode: CLOSE_POLICY, closeReason: `${what} within ${packetSecondsMax} s` });
    });
  }
}

/** Whether a frame begins with a CONNACK that lets the client in: its code stands behind length and flags. */
function isAccepted(frame: Uint8Array): boolean {
  return frame[frame[1]! < 0x80 ? 3 : 4] === SUCCESS;
}

/** Closes a socket that may be closed already. */
function close(socket: RelayedSocket, code: number, reason: string): void {
  try {
    socket.close(code, reason);
  } catch {
    // It is closed.
  }
}
