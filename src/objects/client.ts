/**
 * One socket of a Session object from its upgrade to its end: cuts the stream into packets, waits for CONNECT and for its
 * authentication, then passes packets to the core. Everything that waits for this one socket is here.
 */

import { fromBase64 } from "../auth/base64.ts";
import { type Accepted, Authentication, type Authenticators } from "../handshake/authentication.ts";
import { type Farewell, isFarewell, readConnect, refused } from "../handshake/first-packet.ts";
import { assignClientId, type Handover } from "../handshake/handover.ts";
import { EARLY_PACKETS_MAX, type Limits, UNFINISHED_BYTES_SHORT } from "../limits.ts";
import { decodePacket } from "../mqtt/decode.ts";
import type { Connect } from "../mqtt/packet.ts";
import { PacketStream } from "../mqtt/packet-stream.ts";
import { CLIENT_IDENTIFIER_NOT_VALID, PACKET_TOO_LARGE, QUOTA_EXCEEDED, SERVER_UNAVAILABLE } from "../mqtt/reason-code.ts";
import { VIOLATION } from "../mqtt/violation.ts";
import { CLOSE_INTERNAL_ERROR, CLOSE_POLICY, CLOSE_UNSUPPORTED_DATA, closeCodeOf, FAILED, MEMORY_SHORT } from "../session/close-code.ts";
import type { SessionCore } from "../session/core.ts";
import { violated } from "../session/lifecycle.ts";
import type { SessionMachine } from "../session/machine.ts";
import type { Connection } from "../session/session.ts";
import type { Arrivals } from "./arrivals.ts";
import { StoreRefused } from "./guarded-store.ts";
import { log } from "./log.ts";
import type { Runtime, Timer } from "./runtime.ts";
import type { SocketWire } from "./socket-wire.ts";

export interface ClientContext {
  readonly core: SessionCore;
  readonly machine: SessionMachine;
  readonly limits: Limits;
  readonly authenticators: Authenticators;
  readonly runtime: Runtime;
  readonly arrivals: Arrivals;
  /** Whether a Client Identifier is one of this object. */
  readonly owns: (clientId: string) => boolean;
  /** Called after anything that may have left something to flush. */
  readonly flushSoon: () => void;
}

export class Client {
  readonly wire: SocketWire;
  readonly #context: ClientContext;
  readonly #handover: Handover;
  readonly #stream: PacketStream;
  #connection: Connection | undefined;
  /**
   * `first`: CONNECT is awaited. `authenticating`: it is being checked; what follows waits in the stream or belongs to that.
   * `fetching`: its session comes from another object; what follows waits.
   */
  #state: "first" | "authenticating" | "fetching" | "connected" | "ended";
  #authentication: Authentication | undefined;
  #unfinishedBytes = 0;
  /** Runs while a packet is incomplete: such a packet is only in memory, so the pending timer also keeps the object awake. */
  #patience: Timer | undefined;

  /** @param connection the connection of a socket that slept through the object's loss of memory */
  constructor(context: ClientContext, wire: SocketWire, handover: Handover, connection: Connection | undefined) {
    this.wire = wire;
    this.#context = context;
    this.#handover = handover;
    this.#stream = new PacketStream(context.limits.packetBytesMax);
    this.#connection = connection;
    this.#state = connection === undefined ? "first" : "connected";
    if (connection !== undefined) this.#stream.version = connection.version;
    else this.#await();
  }

  /** A frame came. */
  receive(data: ArrayBuffer | string): void {
    if (this.#state === "ended") return;
    if (typeof data === "string") {
      // [MQTT5-6.0.0-1] [MQTT311-6.0.0-1]
      this.#end({ bytes: undefined, closeCode: CLOSE_UNSUPPORTED_DATA, closeReason: "MQTT needs binary frames" });
      return;
    }
    this.#stream.push(new Uint8Array(data));
    if (this.#state !== "connected" && this.#stream.pendingBytes > EARLY_PACKETS_MAX * this.#context.limits.packetBytesMax) {
      this.#end({ bytes: undefined, closeCode: CLOSE_POLICY, closeReason: "too much came before the answer to CONNECT" });
      return;
    }
    this.#drain();
    this.#boundUnfinished();
  }

  /** Bytes that came and are no whole packet yet, or wait for its turn. */
  get unfinishedBytes(): number {
    return this.#unfinishedBytes;
  }

  #countUnfinished(): void {
    const bytes = this.#state === "ended" ? 0 : this.#stream.pendingBytes;
    this.#context.core.ledger.add("unfinished", bytes - this.#unfinishedBytes);
    this.#unfinishedBytes = bytes;
  }

  /** While memory is short nobody may have much here that is not whole. */
  #boundUnfinished(): void {
    const { core, flushSoon } = this.#context;
    if (this.#unfinishedBytes <= UNFINISHED_BYTES_SHORT || core.ledger.takes("unfinished")) return;
    const connection = this.#connection;
    if (connection?.open) violated(core, connection, QUOTA_EXCEEDED, MEMORY_SHORT);
    else this.#end({ bytes: undefined, closeCode: closeCodeOf(QUOTA_EXCEEDED), closeReason: MEMORY_SHORT });
    this.#state = "ended";
    this.#countUnfinished();
    flushSoon();
  }

  /** The socket closed or failed. */
  lost(): void {
    this.#patience?.cancel();
    this.#authentication?.cancel();
    this.#state = "ended";
    this.#countUnfinished();
    const { machine, runtime } = this.#context;
    if (this.#connection !== undefined) {
      machine.lost(this.#connection, runtime.now());
      machine.gone(this.#connection);
    }
    this.#context.flushSoon();
  }

  /** Something went wrong on our side: it costs this client its connection and nobody else anything. */
  failed(error: unknown, doing: string): void {
    const { core, flushSoon } = this.#context;
    this.#state = "ended";
    this.#patience?.cancel();
    this.#authentication?.cancel();
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
    if (this.#state === "first") this.#readConnect();
    else if (this.#state === "authenticating") this.#authentication?.wake();
    const connection = this.#connection;
    if (this.#state === "connected" && connection !== undefined) {
      const { machine, runtime } = this.#context;
      const now = runtime.now();
      for (let bytes = this.#stream.next(); bytes !== undefined && connection.open; bytes = this.#stream.next()) {
        // The next packet has its own time.
        this.#patience?.cancel();
        this.#patience = undefined;
        const packet = bytes instanceof Uint8Array ? decodePacket(bytes, connection.version) : bytes;
        // A 3.x client is not told why it is closed: who runs it finds out here.
        if (packet.type === VIOLATION && packet.reasonCode === PACKET_TOO_LARGE) {
          log("packet too large", { client: connection.session.clientId, problem: packet.message });
        }
        machine.handle(connection, packet, now);
      }
      if (!connection.open) this.#state = "ended";
    }
    this.#await();
    this.#context.flushSoon();
  }

  #readConnect(): void {
    const bytes = this.#stream.next();
    if (bytes === undefined) return;
    const connect = readConnect(bytes, this.#context.limits);
    if (isFarewell(connect)) {
      this.#end(connect);
      return;
    }
    const { expectedClientId, assignedClientId, relayed, userName, authenticationData } = this.#handover;
    if (expectedClientId !== undefined && connect.clientId !== "" && connect.clientId !== expectedClientId) {
      const message = "the Client Identifier of CONNECT must be the clientId of the URL";
      this.#end(refused({ reasonCode: CLIENT_IDENTIFIER_NOT_VALID, message }, connect));
      return;
    }
    const clientId = connect.clientId === "" ? (expectedClientId ?? assignedClientId ?? assignClientId()) : connect.clientId;
    const named: Connect = clientId === connect.clientId ? connect : { ...connect, clientId };
    const assigned = named !== connect;
    if (relayed) {
      const data = authenticationData === undefined ? undefined : fromBase64(authenticationData);
      this.#admit(named, { identity: { userName }, authenticationData: data }, assigned);
      return;
    }
    this.#state = "authenticating";
    this.#authenticate(named, assigned).catch((error) => this.#failedLater(error, "authenticating"));
  }

  async #authenticate(connect: Connect, assigned: boolean): Promise<void> {
    const { authenticators, limits, flushSoon } = this.#context;
    this.#stream.version = connect.version;
    this.#authentication = new Authentication({
      connect,
      address: this.#handover.address ?? "",
      authenticators,
      stream: this.#stream,
      limits,
      send: (bytes) => {
        this.wire.send(bytes);
        flushSoon();
      },
    });
    const answer = await this.#authentication.run();
    this.#authentication = undefined;
    if (this.#state !== "authenticating") return;
    if (isFarewell(answer)) {
      this.#end(answer);
      return;
    }
    this.#admit(connect, answer, assigned);
    this.#drain();
  }

  /** Connects, at once or when its session has been fetched from where it was. */
  #admit(connect: Connect, accepted: Accepted, assigned: boolean): void {
    const { owns, arrivals } = this.#context;
    if (!owns(connect.clientId)) {
      // The Worker that sent it here does not know of a change of shards yet.
      this.#end(refused({ reasonCode: SERVER_UNAVAILABLE, message: "the broker is being updated; connect again" }, connect));
      return;
    }
    const fetched = arrivals.fetch(connect.clientId, connect.clean);
    if (fetched === undefined) this.#connect(connect, accepted, assigned);
    else {
      this.#state = "fetching";
      this.#stream.version = connect.version;
      this.#connectOnce(fetched, connect, accepted, assigned).catch((error) => this.#failedLater(error, "connecting"));
    }
  }

  async #connectOnce(fetched: Promise<void>, connect: Connect, accepted: Accepted, assigned: boolean): Promise<void> {
    try {
      await fetched;
    } catch {
      const refusal = { reasonCode: SERVER_UNAVAILABLE, message: "the session could not be fetched from where it was; connect again" };
      if (this.#state === "fetching") this.#end(refused(refusal, connect));
      return;
    }
    if (this.#state !== "fetching") return;
    this.#connect(connect, accepted, assigned);
    this.#drain();
  }

  #connect(connect: Connect, { identity, authenticationData }: Accepted, assigned: boolean): void {
    const options = { assigned, relayed: this.#handover.relayed, authenticationData };
    this.#stream.version = connect.version;
    this.#connection = this.#context.machine.connect(this.wire, connect, identity, options, this.#context.runtime.now());
    this.#state = this.#connection === undefined ? "ended" : "connected";
  }

  #end({ bytes, closeCode, closeReason }: Farewell): void {
    this.#state = "ended";
    this.#countUnfinished();
    this.#patience?.cancel();
    this.#authentication?.cancel();
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
    const incomplete = this.#state === "first" || (this.#state === "connected" && this.#stream.pendingBytes > 0);
    if (!incomplete) {
      this.#patience?.cancel();
      this.#patience = undefined;
      return;
    }
    const { limits, runtime } = this.#context;
    this.#patience ??= runtime.after(limits.packetSecondsMax * 1000, () => {
      const what = this.#state === "first" ? "CONNECT did not come" : "a packet was not finished";
      this.#end({ bytes: undefined, closeCode: CLOSE_POLICY, closeReason: `${what} within ${limits.packetSecondsMax} s` });
    });
  }
}
