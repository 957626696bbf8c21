/**
 * Bans, before anything else is asked of a client: who is banned has no password hashed and no token read. What only a login tells, the user
 * name of a token, is looked at once more where its session is. All of them are known here for some seconds: a name is asked for with them where
 * the next one will ask for it, and where it may.
 */

import type { Ban } from "../directory/bans.ts";
import type { Connect } from "../mqtt/packet.ts";
import { BANNED } from "../mqtt/reason-code.ts";
import type { Runtime } from "../runtime.ts";
import type {
  AuthenticationExchange,
  AuthenticationStep,
  Authenticator,
  Caller,
  EnhancedAuthenticator,
  Refusal,
} from "../session/ports.ts";
import type { FailedLogins } from "./failed-logins.ts";
import type { LoginDirectory } from "./login-directory.ts";

/** Banned; a 3.x connection gets return code 5. Who is banned is not told more than that it is so. */
export function banned({ until }: Pick<Ban, "until">): Refusal {
  return { reasonCode: BANNED, message: until === Number.POSITIVE_INFINITY ? "banned" : "banned for some time" };
}

export class BanGate implements Authenticator {
  readonly #directory: LoginDirectory;
  readonly #runtime: Runtime;
  readonly #namesAsked: FailedLogins | undefined;

  /** @param namesAsked the failed logins where names with passwords are the next to be asked for */
  constructor(directory: LoginDirectory, runtime: Runtime, namesAsked?: FailedLogins) {
    this.#namesAsked = namesAsked;
    this.#directory = directory;
    this.#runtime = runtime;
  }

  /** @returns undefined when the client is not banned: others decide then */
  async authenticate({ clientId, userName, password }: Connect, caller: Caller): Promise<Refusal | undefined> {
    const { address } = caller;
    const isAskedFor = userName !== undefined && password !== undefined && this.#namesAsked?.mayTry(address) === true;
    if (isAskedFor && !this.#namesAsked!.isShut(address, userName)) await this.#directory.look(caller, userName);
    return this.check(clientId, userName, caller);
  }

  async check(clientId: string, userName: string | undefined, caller: Caller): Promise<Refusal | undefined> {
    const { bans } = await this.#directory.look(caller, undefined);
    const ban = bans.find({ clientId, userNames: userName === undefined ? [] : [userName], address: caller.address }, this.#runtime.now());
    return ban && banned(ban);
  }
}

/** The same for clients that name an Authentication Method, before the first step of their exchange. */
export class GatedMethods implements EnhancedAuthenticator {
  readonly #gate: BanGate;
  readonly #methods: EnhancedAuthenticator;

  constructor(gate: BanGate, methods: EnhancedAuthenticator) {
    this.#gate = gate;
    this.#methods = methods;
  }

  get methods(): readonly string[] {
    return this.#methods.methods;
  }

  begin(method: string, clientId: string, caller: Caller): AuthenticationExchange | undefined {
    const exchange = this.#methods.begin(method, clientId, caller);
    if (exchange === undefined) return undefined;
    let isChecked = false;
    return {
      step: async (data): Promise<AuthenticationStep> => {
        const refusal = isChecked ? undefined : await this.#gate.check(clientId, undefined, { ...caller });
        isChecked = true;
        return refusal ?? exchange.step(data);
      },
    };
  }
}
