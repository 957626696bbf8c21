/**
 * The authentication of one CONNECT before its connection exists, the same for the edge that relays and for the object that was handed
 * the socket. A client that names an Authentication Method is asked and answers in AUTH packets (4.12); that method alone decides, and
 * a User Name or Password in the same CONNECT is not looked at. All others are judged by User Name and Password; they are never sent
 * AUTH [MQTT5-4.12.0-6].
 */

import type { Limits } from "../limits.ts";
import { EMPTY_BYTES, utf8Length } from "../mqtt/bytes.ts";
import { decodePacket } from "../mqtt/decode.ts";
import { AUTH, type Connect, DISCONNECT } from "../mqtt/packet.ts";
import type { PacketStream } from "../mqtt/packet-stream.ts";
import {
  BAD_AUTHENTICATION_METHOD,
  CLIENT_IDENTIFIER_NOT_VALID,
  CONTINUE_AUTHENTICATION,
  NOT_AUTHORIZED,
  PROTOCOL_ERROR,
  SERVER_UNAVAILABLE,
} from "../mqtt/reason-code.ts";
import { VIOLATION, type Violation } from "../mqtt/violation.ts";
import type { Runtime, Timer } from "../runtime.ts";
import { CLOSE_NORMAL } from "../session/close-code.ts";
import { connectionFacts } from "../session/connection-facts.ts";
import type { Admission, AuthenticationStep, Caller, EnhancedAuthenticator, Refusal, Soon } from "../session/ports.ts";
import { encodeAuth, NO_ROOM_TO_AUTHENTICATE, OTHER_METHOD } from "../session/reauthenticate.ts";
import { type Farewell, refused } from "./first-packet.ts";

export interface Authenticators {
  /** Always decides. */
  readonly authenticator: { authenticate(connect: Connect, caller: Caller): Soon<Admission | Refusal> };
  readonly enhanced: EnhancedAuthenticator;
}

/** Who the client is, and what CONNACK has to tell it besides. */
export interface Accepted {
  readonly identity: Admission;
  readonly authenticationData: Uint8Array | undefined;
}

/** CONNECT with the Client Identifier that the login gives. */
export function asAdmitted(connect: Connect, { clientId }: Admission): Connect {
  return clientId === undefined ? connect : { ...connect, clientId };
}

/** CONNECT with the user whom a certificate names, whatever name and password it has. */
function asCertified(connect: Connect, { certifiedUserName }: Caller): Connect {
  return certifiedUserName === undefined ? connect : { ...connect, userName: certifiedUserName, password: undefined };
}

const UNAVAILABLE: Refusal = { reasonCode: SERVER_UNAVAILABLE, message: "the authentication service is not available; try again" };

export interface AuthenticationOptions {
  readonly connect: Connect;
  readonly caller: Caller;
  readonly authenticators: Authenticators;
  /** Where the client's next packets are; only an exchange takes some. */
  readonly stream: PacketStream;
  readonly limits: Limits;
  readonly runtime: Runtime;
  /** Sends a packet to the client. */
  readonly send: (bytes: Uint8Array) => void;
}

export class Authentication {
  readonly #connect: Connect;
  readonly #caller: Caller;
  readonly #authenticators: Authenticators;
  readonly #stream: PacketStream;
  readonly #limits: Limits;
  readonly #runtime: Runtime;
  readonly #send: (bytes: Uint8Array) => void;
  #over = false;
  /** What authenticators have to do when it is. */
  #whenOver: (() => void)[] = [];
  /** Continues an exchange that waits for its client's next packet. */
  #wake: () => void = () => {};
  /** Bounds an exchange. What has come of it is only in memory: in an object the pending timer also keeps that awake. */
  #patience: Timer | undefined;

  constructor({ connect, caller, authenticators, stream, limits, runtime, send }: AuthenticationOptions) {
    this.#connect = asCertified(connect, caller);
    this.#caller = caller;
    this.#authenticators = authenticators;
    this.#stream = stream;
    this.#limits = limits;
    this.#runtime = runtime;
    this.#send = send;
  }

  /** Call it once. @returns who the client is, or what to say before closing [MQTT5-3.1.4-2] [MQTT5-4.12.0-4] */
  run(): Soon<Accepted | Farewell> {
    const method = this.#connect.properties.authenticationMethod;
    // [MQTT5-4.12.0-1]
    if (method !== undefined && this.#caller.certifiedUserName !== undefined)
      return this.#refuse(BAD_AUTHENTICATION_METHOD, "its certificate speaks for the client: there is no other authentication");
    try {
      const answer = method === undefined ? this.#login() : Promise.race([this.#exchange(method), this.#tooLate()]);
      return answer instanceof Promise ? this.#known(answer) : answer;
    } catch {
      return refused(UNAVAILABLE, this.#connect);
    }
  }

  async #known(answer: Promise<Accepted | Farewell>): Promise<Accepted | Farewell> {
    try {
      return await answer;
    } catch {
      return refused(UNAVAILABLE, this.#connect);
    } finally {
      this.cancel();
    }
  }

  #login(): Soon<Accepted | Farewell> {
    const answer = this.#authenticators.authenticator.authenticate(this.#connect, this.#waiting());
    return answer instanceof Promise ? answer.then((known) => this.#judge(known)) : this.#judge(answer);
  }

  #judge(answer: Admission | Refusal): Accepted | Farewell {
    return "reasonCode" in answer ? refused(answer, this.#connect) : this.#accept(answer, undefined);
  }

  /** More has come into the stream. */
  wake(): void {
    this.#wake();
  }

  /** The socket is gone: `run` may never resolve now. */
  cancel(): void {
    this.#over = true;
    this.#patience?.cancel();
    for (const run of this.#whenOver) run();
    this.#whenOver = [];
  }

  /** The client as long as it waits: in a Worker nothing that it waits for goes on when it is gone, not even what tidies up. */
  #waiting(): Caller {
    return { ...this.#caller, whenGone: (run) => void (this.#over ? run() : this.#whenOver.push(run)) };
  }

  #tooLate(): Promise<Farewell> {
    const { packetSecondsMax } = this.#limits;
    const refusal = { reasonCode: NOT_AUTHORIZED, message: `the authentication was not finished within ${packetSecondsMax} s` };
    return new Promise((resolve) => {
      this.#patience = this.#runtime.after(packetSecondsMax * 1000, () => resolve(refused(refusal, this.#connect)));
    });
  }

  async #exchange(method: string): Promise<Accepted | Farewell> {
    const { enhanced } = this.#authenticators;
    const exchange = enhanced.begin(method, this.#connect.clientId, this.#waiting());
    if (exchange === undefined) {
      // [MQTT5-4.12.0-1] [5.0/4.12/default-deny]
      const supported = enhanced.methods.length === 0 ? "none is supported" : `supported: ${enhanced.methods.join(", ")}`;
      return this.#refuse(BAD_AUTHENTICATION_METHOD, `the Authentication Method is not known here; ${supported}`);
    }
    const facts = connectionFacts(this.#connect, false);
    let step: AuthenticationStep = await exchange.step(this.#connect.properties.authenticationData ?? EMPTY_BYTES);
    while (!("reasonCode" in step)) {
      if (step.kind === "success") return this.#accept(step.identity, step.data);
      // [MQTT5-4.12.0-2] [MQTT5-3.2.0-1]
      const auth = encodeAuth(CONTINUE_AUTHENTICATION, method, step.data, facts);
      if (auth === undefined) return refused(NO_ROOM_TO_AUTHENTICATE, this.#connect);
      if (!this.#over) this.#send(auth);
      const data = this.#answerOf(await this.#nextPacket(), method);
      if (!(data instanceof Uint8Array)) return data;
      step = await exchange.step(data);
    }
    return refused(step, this.#connect);
  }

  /** What an authenticator makes of a Client Identifier has to be one. */
  #accept(identity: Admission, authenticationData: Uint8Array | undefined): Accepted | Farewell {
    const { clientId } = identity;
    const { clientIdBytesMax } = this.#limits;
    if (clientId === undefined || (clientId !== "" && !clientId.includes("\0") && utf8Length(clientId) <= clientIdBytesMax)) {
      return { identity, authenticationData };
    }
    return this.#refuse(CLIENT_IDENTIFIER_NOT_VALID, "the Client Identifier that the login gives is none");
  }

  async #nextPacket(): Promise<Uint8Array | Violation> {
    for (;;) {
      const bytes = this.#stream.next();
      if (bytes !== undefined) return bytes;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /**
   * Authentication Data of the client's answer, or the farewell: before CONNACK only AUTH 0x18 and DISCONNECT are in order
   * [MQTT5-3.1.2-30] [MQTT5-4.12.0-3], and what is wrong is told in CONNACK, not in DISCONNECT [MQTT5-3.14.0-1].
   */
  #answerOf(bytes: Uint8Array | Violation, method: string): Uint8Array | Farewell {
    if (!(bytes instanceof Uint8Array)) return refused(bytes, this.#connect);
    const type = bytes[0]! >> 4;
    if (type !== AUTH && type !== DISCONNECT) return this.#refuse(PROTOCOL_ERROR, "only AUTH and DISCONNECT may come before CONNACK");
    const packet = decodePacket(bytes, this.#connect.version);
    if (packet.type === VIOLATION) return refused(packet, this.#connect);
    if (packet.type !== AUTH) return { bytes: undefined, closeCode: CLOSE_NORMAL, closeReason: "" };
    const { reasonCode, properties } = packet;
    if (reasonCode !== CONTINUE_AUTHENTICATION) return this.#refuse(PROTOCOL_ERROR, "AUTH before CONNACK needs the Reason Code 0x18");
    // [MQTT5-4.12.0-5] [5.0/3.15/no-method]
    if (properties.authenticationMethod !== method) return this.#refuse(PROTOCOL_ERROR, OTHER_METHOD);
    return properties.authenticationData ?? EMPTY_BYTES;
  }

  #refuse(reasonCode: number, message: string): Farewell {
    return refused({ reasonCode, message }, this.#connect);
  }
}
