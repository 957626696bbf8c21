/**
 * One socket of a Session object from its upgrade to its end: cuts the stream into packets, waits for CONNECT and for its
 * entrance (`entrance.ts`), then passes packets to the core. Everything that waits for this one socket is here.
 */

import type { Accepted } from "../handshake/authentication.ts";
import type { Farewell } from "../handshake/first-packet.ts";
import type { Handover } from "../handshake/handover.ts";
import { EARLY_PACKETS_MAX } from "../limits.ts";
import { UNFINISHED_BYTES_SHORT } from "../memory-limits.ts";
import { decodePacket } from "../mqtt/decode.ts";
import { type Connect, DISCONNECT, type Disconnect, SUBSCRIBE } from "../mqtt/packet.ts";
import { PacketStream } from "../mqtt/packet-stream.ts";
import { MESSAGE_RATE_TOO_HIGH, PACKET_TOO_LARGE, QUOTA_EXCEEDED } from "../mqtt/reason-code.ts";
import { VIOLATION } from "../mqtt/violation.ts";
import { CLOSE_INTERNAL_ERROR, CLOSE_POLICY, CLOSE_UNSUPPORTED_DATA, closeCodeOf, FAILED, MEMORY_SHORT } from "../session/close-code.ts";
import { violated } from "../session/lifecycle.ts";
import type { Unhandled } from "../session/ports.ts";
import type { Connection } from "../session/session.ts";
import { PACE_BYTES_MAX, PACE_MS_MAX } from "../share-limits.ts";
import { AHEAD_BYTES, AHEAD_PACKETS_MAX, FRAME_BYTES, LEAVE_LOOKS } from "../work-limits.ts";
import { SubscribeAsking } from "./asking.ts";
import { Brake } from "./brake.ts";
import type { ClientContext } from "./client-context.ts";
import { Entrance } from "./entrance.ts";
import { StoreRefused } from "./guarded-store.ts";
import { log } from "./log.ts";
import { Patience } from "./patience.ts";
import { PublishAsking } from "./publish-asking.ts";
import type { SocketWire } from "./socket-wire.ts";
import type { Taker } from "./turns.ts";
import { packetWork } from "./work.ts";

/** Of 3.x: reading it more slowly is of no use any more. */
const TOO_FAST = "the client sends faster than it may";

export class Client implements Taker, Unhandled {
  readonly wire: SocketWire;
  /** Nothing has come from it. */
  isSilent = true;
  readonly #context: ClientContext;
  readonly #isRelayed: boolean;
  readonly #stream: PacketStream;
  #connection: Connection | undefined;
  #state: "entering" | "connected" | "ended";
  /** Until it is in, or over. */
  #entrance: Entrance | undefined;
  #unfinishedBytes = 0;
  readonly #patience: Patience;
  /** What came last waits for a turn. */
  #waits = false;
  readonly #brake: Brake;
  readonly #asking: SubscribeAsking | undefined;
  #publishing: PublishAsking | undefined;
  /** The socket is over, and what came over it waits. */
  #closing = false;
  /** What is left of its share in this round. */
  #share = 0;
  #round = -1;

  /** @param connection the connection of a socket that slept through the object's loss of memory */
  constructor(context: ClientContext, wire: SocketWire, handover: Handover, connection: Connection | undefined) {
    this.wire = wire;
    this.#context = context;
    this.#isRelayed = handover.relayed;
    this.#patience = new Patience(context.unfinished, () => this.#waitedTooLong());
    this.#brake = new Brake(context.runtime);
    this.#asking = context.asking && new SubscribeAsking(context.asking, context.limits);
    this.#stream = new PacketStream(context.limits.packetBytesMax);
    this.#connection = connection;
    this.#state = connection === undefined ? "entering" : "connected";
    if (connection !== undefined) {
      this.#stream.version = connection.version;
      this.#attend(connection);
      return;
    }
    this.#entrance = new Entrance(context, handover, this.#stream, {
      send: (bytes) => {
        wire.send(bytes);
        context.flushSoon();
      },
      connect: (connect, accepted, assigned) => this.#connect(connect, accepted, assigned),
      end: (farewell) => this.#end(farewell),
      goOn: () => this.#drain(),
      failed: (error, doing) => this.#failedLater(error, doing),
    });
    this.#await();
  }

  /** What comes over the connection goes through here; the Worker's code is asked about it. */
  #attend(connection: Connection): void {
    connection.unhandled = this;
    const { onPublish, runtime } = this.#context;
    if (onPublish === undefined) return;
    this.#publishing = new PublishAsking(onPublish, connection.session, runtime);
    connection.asker = this.#publishing;
  }

  /** A frame came. */
  receive(data: ArrayBuffer | string): void {
    this.isSilent = false;
    if (this.#state === "ended") return;
    if (typeof data === "string") {
      // [MQTT5-6.0.0-1] [MQTT311-6.0.0-1]
      this.#end({ bytes: undefined, closeCode: CLOSE_UNSUPPORTED_DATA, closeReason: "MQTT needs binary frames" });
      return;
    }
    this.#stream.push(new Uint8Array(data), this.#context.runtime.now());
    const { packetBytesMax } = this.#context.limits;
    if (this.#state !== "connected" && this.#ahead > EARLY_PACKETS_MAX * packetBytesMax) {
      this.#end({ bytes: undefined, closeCode: CLOSE_POLICY, closeReason: "too much came before the answer to CONNECT" });
      return;
    }
    this.#drain();
    this.#boundUnfinished();
  }

  /** A frame came while earlier ones wait for a turn. */
  #catchUp(): void {
    const { runtime, turns, flushSoon } = this.#context;
    // It lives, though its packets wait.
    this.#connection!.lastSeenAt = runtime.now();
    if (this.#ahead > AHEAD_BYTES && !this.#isRelayed && !turns.isCrowded) this.#handle(turns.slices.tick);
    flushSoon();
  }

  /** What waits, with what it costs beside its bytes. */
  get #ahead(): number {
    const { taking } = this.#connection ?? {};
    const besides = this.#brake.bytes + (this.#publishing?.bytes ?? 0) + (taking?.bytes ?? 0);
    return this.#stream.pendingBytes + this.#stream.pendingChunks * FRAME_BYTES + besides;
  }

  /** A packet of it has been taken in part, and what came behind it waits. */
  get #isTaking(): boolean {
    return this.#state === "connected" && this.#connection?.taking?.isOpen === true;
  }

  /** It has not been let in or refused yet. */
  get isEntering(): boolean {
    return this.#state === "entering";
  }

  /** Bytes that came and are no whole packet yet, or wait for its turn. */
  get unfinishedBytes(): number {
    return this.#unfinishedBytes;
  }

  #countUnfinished(): void {
    if (this.#state === "ended") {
      this.#stream.clear();
      this.#brake.release();
      this.#brake.take();
    }
    const bytes = this.#ahead;
    if (bytes === this.#unfinishedBytes) return;
    this.#context.core.ledger.add("unfinished", bytes - this.#unfinishedBytes);
    this.#unfinishedBytes = bytes;
  }

  /**
   * What came can't be pushed back: who is too far ahead of what is handled has to go, and while memory is short nobody may have much here
   * that is not whole or waits.
   */
  #boundUnfinished(): void {
    const { core, limits } = this.#context;
    const isAsking = this.#asking?.isOpen === true || this.#publishing?.held !== undefined;
    const isTooFast = this.#brake.isOn && !isAsking && this.#unfinishedBytes > PACE_BYTES_MAX + limits.packetBytesMax;
    if (isTooFast) {
      this.#violated(MESSAGE_RATE_TOO_HIGH, TOO_FAST);
      return;
    }
    const isFarAhead = (this.#waits || isAsking || this.#isTaking) && this.#unfinishedBytes > AHEAD_PACKETS_MAX * limits.packetBytesMax;
    if (!isFarAhead && (this.#unfinishedBytes <= UNFINISHED_BYTES_SHORT || core.ledger.takes("unfinished"))) return;
    const message = isFarAhead ? "more has come than can be handled" : MEMORY_SHORT;
    if (this.#connection?.open) this.#violated(QUOTA_EXCEEDED, message);
    else this.#end({ bytes: undefined, closeCode: closeCodeOf(QUOTA_EXCEEDED), closeReason: message });
  }

  /** It does what is not allowed. */
  #violated(reasonCode: number, message: string): void {
    violated(this.#context.core, this.#connection!, reasonCode, message);
    this.#state = "ended";
    this.#countUnfinished();
    this.#context.flushSoon();
  }

  /** The socket closed or failed. What came before is handled before; what is above a rate is not taken then. */
  lost(): void {
    if (this.#publishing?.held !== undefined && this.#connection!.open) {
      this.#publishing.hurry();
      this.#closing = true;
      return;
    }
    this.#publishing?.hurry();
    if (this.#brake.isOn) {
      this.#brake.release();
      this.#waitForTurn();
    }
    this.#closing = (this.#waits || this.#isTaking) && this.#state === "connected";
    if (!this.#closing) this.#lost();
  }

  #lost(): void {
    this.#closing = false;
    this.wire.tap?.lost();
    this.#context.gone(this.wire);
    this.#patience.end();
    this.#leaveEntrance();
    this.#state = "ended";
    this.#countUnfinished();
    const { machine, runtime } = this.#context;
    if (this.#connection !== undefined) {
      machine.lost(this.#connection, runtime.now());
      machine.gone(this.#connection);
    }
    this.#context.flushSoon();
  }

  takeDisconnect(): Disconnect | undefined {
    for (let looks = 0; looks < LEAVE_LOOKS; looks += 1) {
      const bytes = this.#stream.next();
      if (!(bytes instanceof Uint8Array)) return undefined;
      if (bytes[0]! >> 4 !== DISCONNECT) continue;
      const packet = decodePacket(bytes, this.#connection!.version);
      return packet.type === DISCONNECT ? packet : undefined;
    }
    return undefined;
  }

  /** Something went wrong on our side: it costs this client its connection and nobody else anything. */
  failed(error: unknown, doing: string): void {
    const { core, flushSoon } = this.#context;
    this.#state = "ended";
    this.#patience.end();
    this.#brake.release();
    this.#leaveEntrance();
    const session = this.#connection?.session;
    const isConnected = session !== undefined && session.connection === this.#connection;
    core.failures.caught(error, doing, isConnected ? session : undefined);
    if (!isConnected) this.wire.close(CLOSE_INTERNAL_ERROR, FAILED);
    flushSoon();
  }

  /** The same where nobody waits: that storage has refused a row ends the object, which has been told so. */
  #failedLater(error: unknown, doing: string): void {
    if (!(error instanceof StoreRefused)) this.failed(error, doing);
  }

  /** Whatever becomes of what came, what is left of it counts. */
  #drain(): void {
    try {
      this.#read();
    } finally {
      this.#countUnfinished();
    }
  }

  #read(): void {
    if (this.#waits) {
      this.#catchUp();
      return;
    }
    if (this.#brake.isOn || this.#isTaking) {
      // It lives, though its packets wait.
      this.#connection!.lastSeenAt = this.#context.runtime.now();
      return;
    }
    this.#entrance?.came();
    if (this.#state === "connected") {
      this.#renew();
      this.#share -= this.#handle(this.#share);
    }
    this.#await();
    this.#context.flushSoon();
  }

  #renew(): void {
    const { round, slices } = this.#context.turns;
    if (this.#round === round) return;
    this.#round = round;
    this.#share = slices.share;
  }

  /** What it waited for alone is over. */
  readonly #takeTurn = (): void => {
    this.turn(this.#context.turns.slices.share);
  };

  /** Its turn has come. */
  turn(work: number): number {
    this.#waits = false;
    let done = 0;
    try {
      if (this.#state === "connected") done = this.#handle(work);
      this.#await();
    } catch (error) {
      this.#failedLater(error, "handling a packet");
    }
    this.#countUnfinished();
    if (this.#closing && !this.#waits && !this.#isTaking && !this.#brake.isOn) this.#lost();
    this.#context.flushSoon();
    return done;
  }

  /**
   * Handles about so much of what has come; what is left waits for a turn.
   * @returns how much it was
   */
  #handle(work: number): number {
    const connection = this.#connection!;
    const { core, machine, runtime } = this.#context;
    const now = runtime.now();
    let done = 0;
    while (connection.open && done < work) {
      if (this.#isTaking) {
        done += machine.goOn(connection, work - done, now);
        if (connection.taking!.waits) break;
        continue;
      }
      const bytes = this.#brake.take() ?? this.#stream.next();
      if (bytes === undefined) break;
      // The next packet has its own time.
      this.#patience.end();
      const waitMs = bytes instanceof Uint8Array && !this.#closing ? core.paces.waitMs(connection, bytes, now) : 0;
      if (waitMs > PACE_MS_MAX) {
        this.#violated(MESSAGE_RATE_TOO_HIGH, TOO_FAST);
        break;
      }
      if (waitMs > 0) {
        this.#brake.hold(bytes as Uint8Array, waitMs, this.#takeTurn);
        break;
      }
      const packet = bytes instanceof Uint8Array ? decodePacket(bytes, connection.version) : bytes;
      // Of who is gone nobody is asked, nor about what is refused all the same.
      const isToAsk = this.#asking !== undefined && packet.type === SUBSCRIBE && !this.#closing && core.paces.maySubscribe(connection, now);
      const known = isToAsk ? this.#asking!.begin(bytes as Uint8Array, packet, connection.session) : undefined;
      if (known !== undefined) {
        this.#brake.holdUntil(bytes as Uint8Array, known, this.#takeTurn);
        break;
      }
      this.wire.tap?.came(packet, bytes instanceof Uint8Array ? bytes.length : undefined);
      // A 3.x client is not told why it is closed: who runs it finds out here.
      if (packet.type === VIOLATION && packet.reasonCode === PACKET_TOO_LARGE)
        log("packet too large", { client: connection.session.clientId, problem: packet.message });
      done += machine.handle(connection, packet, now, bytes instanceof Uint8Array ? bytes.length : 0, this.#stream.cameAt);
      const held = this.#publishing?.handled();
      if (held !== undefined && connection.open) {
        this.#brake.holdUntil(bytes as Uint8Array, held, this.#takeTurn);
        break;
      }
      done += bytes instanceof Uint8Array ? packetWork(bytes) : 1;
    }
    if (!connection.open) this.#state = "ended";
    else if (connection.taking?.waits) connection.taking.whenReady(() => this.#waitForTurn());
    else if (done >= work && (this.#isTaking || this.#stream.pendingBytes > 0) && !this.#brake.isOn) this.#waitForTurn();
    return done;
  }

  #waitForTurn(): void {
    if (this.#waits) return;
    this.#waits = true;
    this.#context.turns.wait(this);
  }

  #leaveEntrance(): void {
    if (this.#entrance === undefined) return;
    this.#entrance.leave();
    this.#entrance = undefined;
    this.#context.entered();
  }

  #connect(connect: Connect, { identity, authenticationData }: Accepted, assigned: boolean): void {
    this.#entrance = undefined;
    this.wire.tap = this.#context.traces.of(connect.clientId);
    this.wire.tap?.connects(connect, identity);
    const options = { assigned, relayed: this.#isRelayed, authenticationData };
    this.#connection = this.#context.machine.connect(this.wire, connect, identity, options, this.#context.runtime.now());
    this.#state = this.#connection === undefined ? "ended" : "connected";
    if (this.#connection !== undefined) this.#attend(this.#connection);
    // Only who was let in counts: nobody has others banned by giving their names in vain.
    if (this.#connection !== undefined) this.#context.directory?.connected(connect.clientId);
    this.#context.entered();
  }

  #end({ bytes, closeCode, closeReason }: Farewell): void {
    this.#state = "ended";
    this.#countUnfinished();
    this.#patience.end();
    this.#leaveEntrance();
    if (bytes !== undefined) this.wire.send(bytes);
    this.wire.close(closeCode, closeReason);
    const connection = this.#connection;
    if (connection !== undefined) {
      connection.open = false;
      this.#context.machine.lost(connection, this.#context.runtime.now());
    }
    this.#context.flushSoon();
  }

  /** Gives an incomplete packet, or a CONNECT that has not come, its time [5.0/3.1.4/timeout] [3.1.1/3.1.4/timeout]. */
  #await(): void {
    const incomplete =
      this.#entrance?.isAwaited ||
      (this.#state === "connected" && !this.#waits && !this.#isTaking && !this.#brake.isOn && this.#stream.pendingBytes > 0);
    if (incomplete) this.#patience.begin();
    else this.#patience.end();
  }

  #waitedTooLong(): void {
    const what = this.#state === "entering" ? "CONNECT did not come" : "a packet was not finished";
    this.#end({ bytes: undefined, closeCode: CLOSE_POLICY, closeReason: `${what} within ${this.#context.limits.packetSecondsMax} s` });
  }
}
