/**
 * Lets in who shows a token (JWT, RFC 7519): finds it, has its signature and its claims checked, and makes of them what the client is
 * and may do. What is no token is left to others; what is one and is not right is refused, and so are its bearer's other words.
 * No sentence and no line of the log repeats a token or a part of one.
 */

import { TOKEN_CHARACTERS_MAX } from "../login-limits.ts";
import type { Connect } from "../mqtt/packet.ts";
import { BAD_USER_NAME_OR_PASSWORD, NOT_AUTHORIZED, SERVER_UNAVAILABLE } from "../mqtt/reason-code.ts";
import type { Runtime } from "../runtime.ts";
import type { Admission, Authenticator, Caller, Refusal } from "../session/ports.ts";
import { judge, type TokenBearer } from "./jwt-claims.ts";
import { clientIdOf, grantsOf } from "./jwt-grants.ts";
import type { JwtSettings, TokenPlace } from "./jwt-settings.ts";
import { headerOf } from "./jwt-token.ts";
import type { ProviderServices } from "./provider-keys.ts";
import { type Checked, Signatures } from "./signature.ts";

const UNAVAILABLE: Refusal = {
  reasonCode: SERVER_UNAVAILABLE,
  message: "the keys that tokens are checked with are not available; try again",
};

/** Why a token is refused whose signature says nothing good. */
const SIGNATURE: Readonly<Record<Extract<Checked, string>, string>> = {
  wrong: "the token's signature is not right",
  foreign: "the token was signed with a key that is not of its issuer",
  unknown: "the token was signed with a key that is not known here",
  unavailable: UNAVAILABLE.message,
};

/** Judges tokens, wherever they come from. */
export class Tokens {
  readonly #settings: JwtSettings;
  readonly #runtime: Runtime;
  readonly #signatures: Signatures;
  readonly #claimNames: readonly string[];

  /** @param claimNames the claims that rules for everybody ask for */
  constructor(settings: JwtSettings, services: ProviderServices, claimNames: readonly string[] = []) {
    this.#claimNames = claimNames;
    this.#settings = settings;
    this.#runtime = services.runtime;
    this.#signatures = new Signatures(settings, services);
  }

  /**
   * Judges a token.
   * @param reasonCode of a refusal that is about the token
   * @returns undefined when it is no token at all
   */
  async login(token: string, bearer: TokenBearer & Pick<Caller, "address">, reasonCode: number): Promise<Admission | Refusal | undefined> {
    const refuse = (message: string): Refusal => ({ reasonCode, message });
    const header = headerOf(token);
    if (header === undefined) return undefined;
    if (token.length > TOKEN_CHARACTERS_MAX) return refuse("the token is too long");
    if (typeof header === "string") return refuse(header);
    const checked = await this.#signatures.check(token, header);
    if (checked === "unavailable") return UNAVAILABLE;
    if (typeof checked === "string") return refuse(SIGNATURE[checked]);
    const { claims } = checked;
    const named = judge(claims, bearer, this.#settings, this.#runtime.now());
    if (typeof named === "string") return refuse(named);
    const clientId = clientIdOf(claims);
    const grants = grantsOf(claims, this.#claimNames);
    if ("problem" in clientId) return refuse(clientId.problem);
    if ("problem" in grants) return refuse(grants.problem);
    return { ...named, ...clientId, grants: grants.text, address: bearer.address };
  }
}

/** Tokens in CONNECT or in the URL. */
export class JwtAuthenticator implements Authenticator {
  readonly #tokens: Tokens;
  readonly #places: readonly TokenPlace[];

  constructor(tokens: Tokens, places: readonly TokenPlace[]) {
    this.#tokens = tokens;
    this.#places = places;
  }

  /** @returns undefined when there is no token in any of the places where one may be */
  async authenticate(connect: Connect, caller: Caller): Promise<Admission | Refusal | undefined> {
    const { clientId, userName, password } = connect;
    const texts: Readonly<Record<TokenPlace, string | undefined>> = { password: textOf(password), username: userName, url: caller.token };
    for (const place of this.#places) {
      // A token that stands where the user name does is none.
      const bearer = { ...caller, clientId, userName: place === "username" ? undefined : userName };
      const reasonCode = place === "url" ? NOT_AUTHORIZED : BAD_USER_NAME_OR_PASSWORD;
      const answer = await this.#tokens.login(texts[place] ?? "", bearer, reasonCode);
      if (answer !== undefined) return answer;
    }
    return undefined;
  }
}

/** Passwords are bytes; those of a token are ASCII. */
function textOf(password: Uint8Array | undefined): string | undefined {
  return password && new TextDecoder().decode(password);
}
