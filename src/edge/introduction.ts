/**
 * From the CONNECT of a relayed client to what its object is told of it: who the client is, its Client Identifier, and by that the name of
 * the object. All of it is known before any object but the directory is touched: strangers wake nothing.
 */

import { toBase64 } from "../auth/base64.ts";
import { Authentication } from "../handshake/authentication.ts";
import { type Farewell, isFarewell } from "../handshake/first-packet.ts";
import { assignClientId, type Handover } from "../handshake/handover.ts";
import type { BrokerHooks } from "../hooks/contract.ts";
import type { Connect } from "../mqtt/packet.ts";
import type { PacketStream } from "../mqtt/packet-stream.ts";
import { authOf } from "../objects/auth-of.ts";
import type { DirectoryService } from "../objects/directory-watch.ts";
import { sessionObjectName } from "../objects/names.ts";
import type { Runtime } from "../runtime.ts";
import type { Caller } from "../session/ports.ts";
import type { Settings } from "../settings.ts";

export interface IntroductionOptions {
  readonly settings: Settings;
  readonly namespace: string;
  readonly caller: Caller;
  readonly directory?: DirectoryService | undefined;
  /** The binding AUTH. */
  readonly authService?: unknown;
  /** Of the Worker's code. */
  readonly hooks?: BrokerHooks | undefined;
  readonly runtime: Runtime;
}

/** A client that may come in. */
export interface Introduced {
  readonly clientId: string;
  readonly objectName: string;
  readonly handover: Handover;
}

export class Introduction {
  readonly #settings: Settings;
  readonly #namespace: string;
  readonly #connect: Connect;
  readonly #authentication: Authentication;

  /**
   * @param stream where the client's next packets are
   * @param send sends a packet to the client
   */
  constructor(options: IntroductionOptions, connect: Connect, stream: PacketStream, send: (bytes: Uint8Array) => void) {
    const { settings, namespace, caller, directory, authService: service, hooks, runtime } = options;
    this.#settings = settings;
    this.#namespace = namespace;
    this.#connect = connect;
    const authenticators = authOf(settings, runtime, { directory, service, hooks });
    this.#authentication = new Authentication({ connect, caller, authenticators, stream, limits: settings.limits, runtime, send });
  }

  /** Call it once. @returns the client, or what to say before closing */
  async run(): Promise<Introduced | Farewell> {
    const answer = await this.#authentication.run();
    if (isFarewell(answer)) return answer;
    const { identity: admission, authenticationData } = answer;
    const connect = this.#connect;
    const assignedClientId = connect.clientId === "" ? (admission.clientId ?? assignClientId()) : undefined;
    const clientId = admission.clientId ?? assignedClientId ?? connect.clientId;
    const handover: Handover = {
      relayed: true,
      ...(assignedClientId === undefined ? {} : { assignedClientId }),
      admission,
      ...(authenticationData === undefined ? {} : { authenticationData: toBase64(authenticationData) }),
    };
    return { clientId, objectName: sessionObjectName(this.#settings, this.#namespace, clientId), handover };
  }

  /** More has come into the stream. */
  wake(): void {
    this.#authentication.wake();
  }

  /** The socket is gone: `run` may never resolve now. */
  cancel(): void {
    this.#authentication.cancel();
  }
}
