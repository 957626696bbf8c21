/**
 * The way of one client into a Session object: its CONNECT is read, who it is is found out, directory and hooks say what they have to, and
 * its session is fetched from where it was. What it sends behind CONNECT waits meanwhile in its stream, or belongs to its authentication.
 */

import { fromBase64 } from "../auth/base64.ts";
import { UNAVAILABLE } from "../auth/http-hook.ts";
import { type Accepted, Authentication, asAdmitted } from "../handshake/authentication.ts";
import { type Farewell, isFarewell, readConnect, refused } from "../handshake/first-packet.ts";
import { assignClientId, type Handover, unknownCaller } from "../handshake/handover.ts";
import type { Connect } from "../mqtt/packet.ts";
import type { PacketStream } from "../mqtt/packet-stream.ts";
import { CLIENT_IDENTIFIER_NOT_VALID, SERVER_UNAVAILABLE } from "../mqtt/reason-code.ts";
import { OF_ANOTHER_USER } from "../session/connect.ts";
import { type Admission, claimantOf, type Refusal } from "../session/ports.ts";
import { OfAnotherUser } from "./arrivals.ts";
import { askForResumed } from "./asking.ts";
import type { ClientContext } from "./client-context.ts";

const DIRECTORY_UNAVAILABLE: Refusal = { reasonCode: SERVER_UNAVAILABLE, message: "the directory is not available; try again" };

/** Who waits at the entrance. Of `connect` and `end` one is called, once, unless the client has gone. */
export interface Entering {
  /** Sends a packet of an authentication. */
  send(bytes: Uint8Array): void;
  /** It is let in, as far as the core agrees. @param assigned its Client Identifier is not that of its CONNECT */
  connect(connect: Connect, accepted: Accepted, assigned: boolean): void;
  /** It is not. */
  end(farewell: Farewell): void;
  /** What was said took its time: what came behind can be handled now. */
  goOn(): void;
  failed(error: unknown, doing: string): void;
}

export class Entrance {
  readonly #context: ClientContext;
  readonly #handover: Handover;
  readonly #stream: PacketStream;
  readonly #entering: Entering;
  #authentication: Authentication | undefined;
  /** CONNECT has not come whole. */
  isAwaited = true;
  #over = false;

  constructor(context: ClientContext, handover: Handover, stream: PacketStream, entering: Entering) {
    this.#context = context;
    this.#handover = handover;
    this.#stream = stream;
    this.#entering = entering;
  }

  /** More has come into the stream. */
  came(): void {
    if (this.isAwaited) this.#readConnect();
    else this.#authentication?.wake();
  }

  /** The client has gone, or is in. */
  leave(): void {
    this.#over = true;
    this.#authentication?.cancel();
  }

  #end(farewell: Farewell): void {
    this.leave();
    this.#entering.end(farewell);
  }

  #refuse(refusal: Refusal, connect: Connect): void {
    this.#end(refused(refusal, connect));
  }

  #connect(connect: Connect, accepted: Accepted, assigned: boolean): void {
    this.leave();
    this.#entering.connect(connect, accepted, assigned);
  }

  #readConnect(): void {
    const bytes = this.#stream.next();
    if (bytes === undefined) return;
    this.isAwaited = false;
    const connect = readConnect(bytes, this.#context.limits);
    if (isFarewell(connect)) {
      this.#end(connect);
      return;
    }
    this.#stream.version = connect.version;
    const { expectedClientId, assignedClientId, admission, authenticationData } = this.#handover;
    if (expectedClientId !== undefined && connect.clientId !== "" && connect.clientId !== expectedClientId) {
      const message = "the Client Identifier of CONNECT must be the clientId of the URL";
      this.#refuse({ reasonCode: CLIENT_IDENTIFIER_NOT_VALID, message }, connect);
      return;
    }
    const clientId = connect.clientId === "" ? (expectedClientId ?? assignedClientId ?? assignClientId()) : connect.clientId;
    const named: Connect = clientId === connect.clientId ? connect : { ...connect, clientId };
    const assigned = named !== connect;
    if (admission !== undefined) {
      const data = authenticationData === undefined ? undefined : fromBase64(authenticationData);
      this.#admit(asAdmitted(named, admission), { identity: admission, authenticationData: data }, assigned);
      return;
    }
    this.#authenticate(named, assigned);
  }

  #authenticate(connect: Connect, assigned: boolean): void {
    const { authenticators, limits, runtime, namespace, hookContext } = this.#context;
    const authentication = new Authentication({
      connect,
      caller: { ...unknownCaller(namespace), ...this.#handover.caller, namespace, context: hookContext },
      authenticators,
      stream: this.#stream,
      limits,
      runtime,
      send: (bytes) => this.#entering.send(bytes),
    });
    const answer = authentication.run();
    if (!(answer instanceof Promise)) {
      this.#authenticated(connect, answer, assigned);
      return;
    }
    this.#authentication = authentication;
    this.#authenticateOnce(answer, connect, assigned).catch((error) => this.#entering.failed(error, "authenticating"));
  }

  async #authenticateOnce(answering: Promise<Accepted | Farewell>, connect: Connect, assigned: boolean): Promise<void> {
    const answer = await answering;
    this.#authentication = undefined;
    if (this.#over) return;
    this.#authenticated(connect, answer, assigned);
    this.#entering.goOn();
  }

  #authenticated(connect: Connect, answer: Accepted | Farewell, assigned: boolean): void {
    if (isFarewell(answer)) this.#end(answer);
    else this.#admit(asAdmitted(connect, answer.identity), answer, assigned);
  }

  /** At once, or when the directory has said all and the session has been fetched from where it was. */
  #admit(connect: Connect, accepted: Accepted, assigned: boolean): void {
    const { owns, directory } = this.#context;
    const { expectedClientId } = this.#handover;
    if (expectedClientId !== undefined && connect.clientId !== expectedClientId) {
      const message = "the login gives another Client Identifier than the clientId of the URL, by which its session is found";
      this.#refuse({ reasonCode: CLIENT_IDENTIFIER_NOT_VALID, message }, connect);
      return;
    }
    if (!owns(connect.clientId)) {
      // The Worker that sent it here does not know of a change of shards yet.
      this.#refuse({ reasonCode: SERVER_UNAVAILABLE, message: "the broker is being updated; connect again" }, connect);
      return;
    }
    const judged = directory?.admit(connect, accepted.identity) ?? accepted.identity;
    if (judged instanceof Promise) {
      this.#fetchOnce(judged, connect, accepted, assigned).catch((error) => this.#entering.failed(error, "connecting"));
    } else this.#fetch(judged, connect, accepted, assigned);
  }

  async #fetchOnce(judging: Promise<Admission | Refusal>, connect: Connect, accepted: Accepted, assigned: boolean): Promise<void> {
    const judged = await judging.catch(() => DIRECTORY_UNAVAILABLE);
    if (this.#over) return;
    this.#fetch(judged, connect, accepted, assigned);
    this.#entering.goOn();
  }

  #fetch(judged: Admission | Refusal, connect: Connect, { authenticationData }: Accepted, assigned: boolean): void {
    if ("reasonCode" in judged) {
      this.#refuse(judged, connect);
      return;
    }
    const accepted = { identity: judged, authenticationData };
    const { core, asking, arrivals } = this.#context;
    const fetched = arrivals.fetch(connect.clientId, connect.clean, claimantOf(judged));
    const asked = fetched === undefined ? askForResumed(asking, core, connect, judged) : undefined;
    if (fetched === undefined && asked === undefined) this.#connect(connect, accepted, assigned);
    else this.#connectOnce(fetched, asked, connect, accepted, assigned).catch((error) => this.#entering.failed(error, "connecting"));
  }

  /**
   * @param fetched when its session has come from where it was
   * @param asked when a hook has been asked about the subscriptions of a session that is here
   */
  async #connectOnce(
    fetched: Promise<void> | undefined,
    asked: Promise<boolean> | undefined,
    connect: Connect,
    accepted: Accepted,
    assigned: boolean,
  ): Promise<void> {
    try {
      await fetched;
    } catch (error) {
      const refusal =
        error instanceof OfAnotherUser
          ? { reasonCode: CLIENT_IDENTIFIER_NOT_VALID, message: OF_ANOTHER_USER }
          : { reasonCode: SERVER_UNAVAILABLE, message: "the session could not be fetched from where it was; connect again" };
      if (!this.#over) this.#refuse(refusal, connect);
      return;
    }
    const { core, asking, directory } = this.#context;
    const isKnown = await (asked ?? askForResumed(asking, core, connect, accepted.identity));
    if (this.#over) return;
    if (isKnown === false) {
      // To resume it with what it may not have is as wrong as to take away what it may.
      this.#refuse(UNAVAILABLE, connect);
      return;
    }
    // What the directory was told meanwhile.
    const judged = directory?.judge(connect, accepted.identity) ?? accepted.identity;
    if ("reasonCode" in judged) this.#refuse(judged, connect);
    else this.#connect(connect, { ...accepted, identity: judged }, assigned);
    this.#entering.goOn();
  }
}
